"""`InvokeWithResponseStream` on the wire; botocore's decoder is the referee of its messages."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from botocore.eventstream import EventStreamBuffer

from rapid_mock.errors import ServiceError, TooManyRequests
from rapid_mock.http.invoke_api import add_invoke_api
from rapid_mock.http.invoke_stream import event_message
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer
from tests.support.raw_http import DEADLINE_SECONDS, RawClient, ServerThread
from tests.support.scripted_environment import ask, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapid_mock.service.requests import ChunkTaker

ID = "2ce4b1a5-4b8c-4c3c-9f0e-4a2f5f4d9c11"
TRACE = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"
INVOKE = (
    b"POST /2021-11-15/functions/function/response-streaming-invocations HTTP/1.1\r\n"
    b"Host: localhost\r\nX-Amzn-RequestId: " + ID.encode() + b"\r\nX-Amzn-Trace-Id: "
) + TRACE.encode()
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
    b"x-amzn-RequestId: " + ID.encode() + b"\r\nX-Amz-Executed-Version: 7\r\n"
    b"X-Amzn-Trace-Id: " + TRACE.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
)
OK = InvokeAnswer(ID, b"", "7")
FAILED = InvokeAnswer(ID, b'{"errorType":"X"}', "7", function_error="Unhandled", error_type="X")


def request(*headers: bytes) -> bytes:
    return b"\r\n".join((INVOKE, *headers, b"Content-Length: 2")) + b"\r\n\r\n{}"


class Service:
    """In place of the Lambda service: the test streams and answers."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.requests: list[InvokeRequest] = []
        self.answers: list[OnAnswer] = []

    def invoke(self, request: InvokeRequest, on_answer: OnAnswer) -> None:
        self.requests.append(request)
        self.answers.append(on_answer)
        self.asked.set()

    def open(self) -> ChunkTaker:
        assert self.asked.wait(DEADLINE_SECONDS)
        open_stream = self.requests[0].open_stream
        assert open_stream is not None
        return open_stream("7")


class Flow:
    """The function's side, as far as it can be held back."""

    def __init__(self) -> None:
        self.paused = threading.Event()
        self.resumed = threading.Event()

    def pause_reading(self) -> None:
        self.paused.set()

    def resume_reading(self) -> None:
        self.resumed.set()


def chunks_of(body: bytes) -> bytes:
    """A chunked body, joined."""
    joined = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        joined, body = joined + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return joined


def messages(stream: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    for message in buffer:
        yield message.headers, message.payload


def streamed(service: Service, server: ServerThread, answer: InvokeAnswer | ServiceError) -> None:
    """A function that streams two chunks, then this."""
    taker = service.open()

    def act() -> None:
        taker.begin("text/plain", Flow())
        taker.write(b"one")
        taker.write(b"two")
        service.answers[0](answer)
        taker.write(b"too late")

    server.do(act)


def exchange(answer: InvokeAnswer, *headers: bytes, stream: bool = True) -> bytes:
    service = Service()
    with (
        serving(lambda router: add_invoke_api(router, service)) as server,
        RawClient(server.address) as client,
    ):
        client.send(request(*headers))
        if stream:
            streamed(service, server, answer)
        else:
            assert service.asked.wait(DEADLINE_SECONDS)
            server.do(lambda: service.answers[0](answer))
        return client.read_until(b"0\r\n\r\n")


CHUNK = {
    ":event-type": "PayloadChunk",
    ":content-type": "application/octet-stream",
    ":message-type": "event",
}
COMPLETE = {
    ":event-type": "InvokeComplete",
    ":content-type": "application/json",
    ":message-type": "event",
}


def test_a_message_byte_by_byte() -> None:
    """Lengths, checksum of the lengths, headers of type 7, payload, checksum of everything."""
    message = b"".join(event_message("A", "b", b"{}"))
    assert message[:8] == b"\x00\x00\x00\x4a\x00\x00\x00\x38"
    assert message[12:68] == (
        b"\x0b:event-type\x07\x00\x01A\x0d:content-type\x07\x00\x01b"
        b"\x0d:message-type\x07\x00\x05event"
    )
    assert message[68:70] == b"{}"
    assert len(message) == 0x4A
    assert list(messages(message)) == [
        ({":event-type": "A", ":content-type": "b", ":message-type": "event"}, b"{}")
    ]


def test_chunks_and_the_end() -> None:
    """Each chunk is a message and an HTTP chunk of its own; what comes after the answer is lost."""
    received = exchange(OK)
    assert received.startswith(HEAD)
    assert list(messages(chunks_of(received[len(HEAD) :]))) == [
        (CHUNK, b"one"),
        (CHUNK, b"two"),
        (COMPLETE, b"{}"),
    ]


def test_an_error_after_the_first_chunk() -> None:
    """The chunks stay; InvokeComplete has the code and the error's text."""
    received = exchange(FAILED, b"X-Amz-Log-Type: Tail")
    *chunks, (_, end) = messages(chunks_of(received[len(HEAD) :]))
    assert [payload for _, payload in chunks] == [b"one", b"two"]
    assert (
        end
        == b'{"ErrorCode":"Unhandled","ErrorDetails":"{\\"errorType\\":\\"X\\"}","LogResult":""}'
    )


def test_a_function_that_does_not_stream() -> None:
    """The whole payload is one chunk."""
    received = exchange(InvokeAnswer(ID, b'"payload"', "7", log=b"tail"), stream=False)
    assert received.startswith(HEAD)
    assert list(messages(chunks_of(received[len(HEAD) :]))) == [
        (CHUNK, b'"payload"'),
        (COMPLETE, b"{}"),
    ]


def test_an_error_before_the_first_chunk() -> None:
    """There is no chunk, only the end."""
    received = exchange(FAILED, stream=False)
    [(headers, end)] = messages(chunks_of(received[len(HEAD) :]))
    assert headers == COMPLETE
    assert json.loads(end) == {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType":"X"}'}


def test_a_refusal_is_an_ordinary_error() -> None:
    """What the service refuses has its HTTP status and no stream."""

    class Busy(Service):
        def invoke(self, _request: InvokeRequest, on_answer: OnAnswer) -> None:
            on_answer(TooManyRequests("Rate Exceeded.", "ConcurrentInvocationLimitExceeded"))

    with serving(lambda router: add_invoke_api(router, Busy())) as server:
        assert ask(server, request()).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")


def test_a_slow_invoker_holds_the_function_back() -> None:
    """When its buffers are full the function is paused, and goes on when they have drained."""
    service, flow = Service(), Flow()
    with (
        serving(lambda router: add_invoke_api(router, service)) as server,
        RawClient(server.address) as client,
    ):
        client.send(request())
        taker = service.open()
        server.do(lambda: taker.begin(None, flow))
        sent = 0
        while not flow.paused.is_set():
            server.do(lambda: taker.write(bytes(1 << 20)))
            sent += 1
            assert sent < 100
        assert not flow.resumed.is_set()
        received = 0
        while received < sent << 20:
            received += len(client.socket.recv(1 << 20))
        assert flow.resumed.wait(DEADLINE_SECONDS)
        server.do(lambda: service.answers[0](OK))


def test_an_invoker_that_goes_away_releases_the_function() -> None:
    """A function that was held back goes on, into the void."""
    service, flow = Service(), Flow()
    with serving(lambda router: add_invoke_api(router, service)) as server:
        with RawClient(server.address) as client:
            client.send(request())
            taker = service.open()
            server.do(lambda: taker.begin(None, flow))
            while not flow.paused.is_set():
                server.do(lambda: taker.write(bytes(1 << 20)))
        assert flow.resumed.wait(DEADLINE_SECONDS)
        server.do(lambda: taker.write(b"more"))
        server.do(lambda: service.answers[0](OK))

"""The Runtime API of managed instances on a real socket, with the real lifecycle behind it.

Bytes as AWS's Runtime Interface Emulator sends them in that mode.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rapid_mock.http.extensions_api import add_extensions_api
from rapid_mock.http.router import Router
from rapid_mock.http.runtime_api import add_runtime_api
from rapid_mock.lifecycle.effects import Message, Reply
from rapid_mock.lifecycle.environment import Environment
from rapid_mock.lifecycle.events import Event, InitRequested, Invocation, InvokeArrived, Now
from rapid_mock.lifecycle.modes import managed_instances
from rapid_mock.lifecycle.state import Settings
from tests.support.raw_http import ServerThread
from tests.support.scripted_environment import ask, serving

ARN = "arn:aws:lambda:us-east-1:123456789012:function:hello"
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n"
OK = (
    b"HTTP/1.1 202 Accepted\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 16\r\n"
    b"\r\n"
    b'{"status":"OK"}\n'
)
INVOKE_TIMEOUT = (
    b"HTTP/1.1 410 Gone\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 62\r\n"
    b"\r\n"
    b'{"errorMessage":"Invoke timeout","errorType":"InvokeTimeout"}\n'
)
INVALID_REQUEST_ID = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 69\r\n"
    b"\r\n"
    b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n'
)


class Managed:
    """An environment for two invocations at once; its clock stands still until told."""

    def __init__(self) -> None:
        settings = Settings("hello", "app.handler", mode=managed_instances(2))
        self._environment = Environment(settings)
        self._responders: dict[int, Callable[[Message], None]] = {}
        self._numbers = itertools.count(1)
        self.seconds = 0.0

    @property
    def now(self) -> Now:
        return Now(self.seconds, 1_542_409_703.888 + self.seconds)

    def open_exchange(self, responder: Callable[[Message], None]) -> int:
        number = next(self._numbers)
        self._responders[number] = responder
        return number

    def taker(self, _request_id: str) -> None:
        """Nobody takes streams here."""

    def is_open(self, exchange: int) -> bool:
        return exchange in self._responders

    def vanished(self, exchange: int) -> None:
        self._responders.pop(exchange, None)

    def dispatch(self, event: Event | None) -> None:
        if event is None:
            effects = self._environment.handle_timeout(self.now)
        else:
            effects = self._environment.handle(event, self.now)
        for effect in effects:
            if isinstance(effect, Reply):
                self._responders.pop(effect.exchange)(effect.message)

    def invoke(self, request_id: str) -> None:
        self.dispatch(InvokeArrived(Invocation(request_id, ARN, b"{}")))

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.dispatch(None)


@contextmanager
def managed(*request_ids: str) -> Iterator[tuple[ServerThread, Managed]]:
    """Serve an environment whose invocations wait for their polls."""
    environment = Managed()
    ids = (f"00000000-0000-4000-8000-00000000000{n}" for n in itertools.count(1))
    environment.dispatch(InitRequested())
    for request_id in request_ids:
        environment.invoke(request_id)

    def add(router: Router) -> None:
        add_runtime_api(router, environment, lambda: next(ids))
        add_extensions_api(router, environment)

    with serving(add) as server:
        yield server, environment


def post(path: str, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [f"POST /2018-06-01/runtime/{path} HTTP/1.1".encode(), b"Host: 127.0.0.1:9001"]
    lines += [*headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_next_says_the_id_of_the_delivery() -> None:
    """The header stands between deadline and ARN; each delivery has another id."""
    with managed("id-1", "id-2") as (server, _):
        for request_id, number in ((b"id-1", b"1"), (b"id-2", b"2")):
            assert ask(server, NEXT) == (
                b"HTTP/1.1 200 OK\r\n"
                b"Content-Type: application/json\r\n"
                b"Lambda-Runtime-Aws-Request-Id: " + request_id + b"\r\n"
                b"Lambda-Runtime-Deadline-Ms: 1542409706888\r\n"
                b"Lambda-Runtime-Invocation-Id: 00000000-0000-4000-8000-00000000000"
                + number
                + b"\r\n"
                b"Lambda-Runtime-Invoked-Function-Arn: "
                b"arn:aws:lambda:us-east-1:123456789012:function:hello\r\n"
                b"Content-Length: 2\r\n"
                b"\r\n"
                b"{}"
            )


def test_answer_to_another_delivery_is_gone() -> None:
    """A wrong id of the delivery, well-formed or not, is 410 and leaves the invocation open."""
    with managed("id-1") as (server, _):
        ask(server, NEXT)
        for call in ("response", "error"):
            for wrong in (b"12345678-1234-1234-1234-123456789abc", b"not-a-uuid"):
                header = b"lambda-runtime-invocation-id: " + wrong
                assert ask(server, post(f"invocation/id-1/{call}", b"q", header)) == INVOKE_TIMEOUT
        header = b"lambda-runtime-invocation-id: 00000000-0000-4000-8000-000000000001"
        assert ask(server, post("invocation/nope/response", b"q", header)) == INVALID_REQUEST_ID
        assert ask(server, post("invocation/id-1/response", b"q", header)) == OK


def test_late_answer_is_gone_once() -> None:
    """The first answer after the timeout is 410, the next one 400."""
    with managed("id-1") as (server, environment):
        ask(server, NEXT)
        server.do(lambda: environment.wait(3.0))
        late = post("invocation/id-1/error", b"{}")
        assert ask(server, late) == INVOKE_TIMEOUT
        assert ask(server, late) == INVALID_REQUEST_ID


def test_answers_come_in_any_order() -> None:
    """Two invocations at once are answered the last one first."""
    with managed("id-1", "id-2") as (server, _):
        ask(server, NEXT)
        ask(server, NEXT)
        for request_id in ("id-2", "id-1"):
            assert ask(server, post(f"invocation/{request_id}/response", b"q")) == OK


def test_second_init_error_is_refused_in_the_words_of_this_mode() -> None:
    """After a next, init/error is accepted once; the refusal is spelled with a small s."""
    with managed("id-1") as (server, _):
        ask(server, NEXT)
        assert ask(server, post("init/error", b"{}")) == OK
        assert ask(server, post("init/error", b"{}")) == (
            b"HTTP/1.1 403 Forbidden\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: 160\r\n"
            b"\r\n"
            b'{"errorMessage":"State transition from InitError to InitError failed for runtime. '
            b'Error: state transition is not allowed","errorType":"InvalidStateTransition"}\n'
        )


def test_internal_extension_may_register_for_nothing() -> None:
    """Any event of an internal extension is refused; without events it is registered."""
    with managed() as (server, _):
        head = (
            b"POST /2020-01-01/extension/register HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"
            b"Lambda-Extension-Name: inner\r\nContent-Length: "
        )
        assert ask(server, head + b'21\r\n\r\n{"events":["INVOKE"]}') == (
            b"HTTP/1.1 403 Forbidden\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: 102\r\n"
            b"\r\n"
            b'{"errorMessage":"No events allowed for internal extensions",'
            b'"errorType":"Extension.InvalidEventType"}\n'
        )
        assert ask(server, head + b'13\r\n\r\n{"events":[]}').startswith(b"HTTP/1.1 200 OK\r\n")

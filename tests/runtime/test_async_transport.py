"""The client on the event loop: the same bytes and the same rules as over a blocking socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from lambda_runtime.async_client import AsyncRuntimeClient
from lambda_runtime.client import Invocation
from lambda_runtime.errors import ConnectionLost, InvalidReply, RuntimeApiError
from lambda_runtime.replies import Reply
from tests.support.many_pollers import refusal
from tests.support.peers import free_port
from tests.support.scripted_runtime_api import (
    ACCEPTED,
    Peer,
    Script,
    ScriptedRuntimeApi,
    event,
    replies,
)

T = TypeVar("T")
INVOCATION = Invocation("one", Reply(200, b"\r\nLambda-Runtime-Invocation-Id: echo\r\n", b""))


def played(story: Callable[[AsyncRuntimeClient], Awaitable[T]], *scripts: Script) -> T:
    """What the story comes to, with a client of these scripts."""

    async def main(address: str) -> T:
        async with asyncio.timeout(20):
            client = AsyncRuntimeClient(address, "test")
            try:
                return await story(client)
            finally:
                client.close()
                await asyncio.sleep(0)

    with ScriptedRuntimeApi(*scripts) as api:
        return asyncio.run(main(api.address))


def test_requests_are_those_of_the_blocking_client() -> None:
    """Byte for byte."""
    seen: list[bytes] = []

    def serve(peer: Peer) -> None:
        seen.append(peer.request())
        peer.send(event(b"1"))
        for _ in range(2):
            seen.append(peer.request())
            peer.send(ACCEPTED)

    async def story(client: AsyncRuntimeClient) -> str:
        invocation = await client.next()
        await client.respond(INVOCATION, b"{}")
        await client.fail(INVOCATION, b"{}", error_type="T", cause="{}")
        return invocation.request_id

    assert played(story, serve) == "request-1"
    lines = [request.split(b"\r\n") for request in seen]
    assert lines[0][0] == b"GET /2018-06-01/runtime/invocation/next HTTP/1.1"
    assert lines[1][0] == b"POST /2018-06-01/runtime/invocation/one/response HTTP/1.1"
    assert lines[1][2:] == [
        b"User-Agent: test",
        b"Content-Type: application/json",
        b"Content-Length: 2",
        b"Lambda-Runtime-Invocation-Id: echo",
        b"",
        b"{}",
    ]
    assert lines[2][0] == b"POST /2018-06-01/runtime/invocation/one/error HTTP/1.1"
    assert lines[2][2:] == [
        b"User-Agent: test",
        b"Content-Type: application/json",
        b"Lambda-Runtime-Function-Error-Type: T",
        b"Lambda-Runtime-Function-XRay-Error-Cause: {}",
        b"Lambda-Runtime-Invocation-Id: echo",
        b"Content-Length: 2",
        b"",
        b"{}",
    ]


def test_request_on_a_connection_that_has_closed_is_sent_again() -> None:
    """Without a byte of reply on a kept connection the server has surely not begun to answer."""

    def first(peer: Peer) -> None:
        peer.request()
        peer.send(event(b"1"))
        peer.request()  # and hangs up

    async def story(client: AsyncRuntimeClient) -> None:
        await client.next()
        await client.respond(INVOCATION, b"{}")

    played(story, first, replies(ACCEPTED))


def test_request_is_not_sent_again_after_a_byte_of_reply() -> None:
    """It may have been done."""

    def first(peer: Peer) -> None:
        peer.request()
        peer.send(event(b"1"))
        peer.request()
        peer.send(b"HTTP/1.1 2")

    async def story(client: AsyncRuntimeClient) -> None:
        await client.next()
        await client.respond(INVOCATION, b"{}")

    with pytest.raises(ConnectionLost, match="it closed the connection"):
        played(story, first)


def test_nobody_listens() -> None:
    """The exception names the address."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionLost, match=f"cannot connect to {address}"):
        asyncio.run(AsyncRuntimeClient(address, "test").next())


def test_reply_that_is_no_http() -> None:
    """InvalidReply, as over a blocking socket."""

    async def story(client: AsyncRuntimeClient) -> None:
        await client.next()

    with pytest.raises(InvalidReply):
        played(story, replies(b"SSH-2.0-OpenSSH\r\n\r\n"))


def test_event_in_many_pieces_and_chunks() -> None:
    """It is put together, whole."""
    head = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n3\r\n2]\n\r\n0\r\n\r\n"

    def serve(peer: Peer) -> None:
        peer.request()
        peer.drip(chunked)

    async def story(client: AsyncRuntimeClient) -> bytes:
        return bytes((await client.next()).body)

    assert played(story, serve) == b"[1,2]\n"


def test_stream_that_is_answered_early() -> None:
    """No more is sent, the refusal is the answer, and the connection is not used again."""

    def serve(peer: Peer) -> None:
        peer.some()
        peer.send(refusal("413 Too Large"))
        peer.finish_sending()

    async def story(client: AsyncRuntimeClient) -> None:
        upload = await client.stream(INVOCATION, "text/plain")
        for _ in range(1_000_000):
            if not await upload.write(b"x" * 1000):
                break
            await asyncio.sleep(0)
        with pytest.raises(RuntimeApiError, match="413"):
            await client.finish_stream(upload)
        await client.next()

    played(story, serve, replies(event(b"1")))


def test_stream_waits_for_a_slow_reader() -> None:
    """What the server does not take is not heaped up: a chunk waits for those before it."""
    has_waited = threading.Event()

    def slow(peer: Peer) -> None:
        assert has_waited.wait(20)
        peer.request()
        peer.send(ACCEPTED)

    async def story(client: AsyncRuntimeClient) -> None:
        upload = await client.stream(INVOCATION, "text/plain")
        writing = asyncio.create_task(upload.write(b"x" * 20_000_000))
        done, _ = await asyncio.wait([writing], timeout=0.05)
        has_waited.set()
        assert not done
        await writing
        await client.finish_stream(upload)

    played(story, slow)

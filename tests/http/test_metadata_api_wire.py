"""The metadata endpoint, byte by byte as AWS's emulator answers."""

from __future__ import annotations

import pytest

from rapid_mock.http.metadata_api import add_metadata_api
from tests.support.raw_http import RawClient
from tests.support.scripted_environment import ask, serving

TOKEN = "0f1e2d3c-4b5a-4968-8776-655443322110"
PATH = "/2026-01-15/metadata/execution-environment"
OK = (
    b"HTTP/1.1 200 OK\r\nCache-Control: private, max-age=43200, immutable\r\n"
    b"Content-Type: application/json\r\nContent-Length: 33\r\n\r\n"
    b'{"AvailabilityZoneID":"use1-az1"}'
)


def plain(status: bytes, body: bytes, length: int) -> bytes:
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"X-Content-Type-Options: nosniff\r\nContent-Length: %d\r\n\r\n" % length
    ) + body


UNAUTHORIZED = plain(b"401 Unauthorized", b"Unauthorized\n", 13)
NOT_ALLOWED = plain(b"405 Method Not Allowed", b"Method Not Allowed\n", 19)
NOT_FOUND = plain(b"404 Not Found", b"404 page not found\n", 19)


@pytest.mark.parametrize(
    ("method", "path", "authorization", "answer"),
    [
        ("GET", PATH, f"Bearer {TOKEN}", OK),
        ("GET", PATH + "/", f"Bearer {TOKEN}", OK),
        ("GET", PATH + "?x=1", f"Bearer {TOKEN}", OK),
        ("GET", PATH, "", UNAUTHORIZED),
        ("GET", PATH, TOKEN, UNAUTHORIZED),
        ("GET", PATH, f"bearer {TOKEN}", UNAUTHORIZED),
        ("GET", PATH, "Bearer ", UNAUTHORIZED),
        ("GET", PATH, f"Basic {TOKEN}", UNAUTHORIZED),
        ("POST", PATH, "Bearer x", UNAUTHORIZED),
        ("POST", PATH, f"Bearer {TOKEN}", NOT_ALLOWED),
        ("PUT", PATH, f"Bearer {TOKEN}", NOT_ALLOWED),
        ("GET", "/2026-01-15/metadata", f"Bearer {TOKEN}", NOT_FOUND),
        ("GET", "/2026-01-15/metadata/other", f"Bearer {TOKEN}", NOT_FOUND),
    ],
)
def test_metadata(method: str, path: str, authorization: str, answer: bytes) -> None:
    """The zone for GET with the token; 401 comes before 405; other paths do not exist."""
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n"
    with serving(lambda router: add_metadata_api(router, TOKEN)) as server:
        assert ask(server, request.encode() + b"Content-Length: 0\r\n\r\n") == answer


def test_head_has_no_body() -> None:
    """HEAD is refused as the other methods are, without the words."""
    request = f"HEAD {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    with (
        serving(lambda router: add_metadata_api(router, TOKEN)) as server,
        RawClient(server.address) as client,
    ):
        client.send(request.encode())
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")

"""The metadata endpoint: the availability zone, for whoever has the environment's token.

Source: AWS's Runtime Interface Emulator, bytes and all.
"""

from __future__ import annotations

import hmac

from lambda_runtime import contract
from rapid_mock.http.calls import Call
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.router import Router

_PLAIN = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
_ANSWER = [
    ("Cache-Control", "private, max-age=43200, immutable"),
    ("Content-Type", contract.CONTENT_TYPE_JSON),
]
_ZONE = b'{"AvailabilityZoneID":"use1-az1"}'
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def add_metadata_api(router: Router, token: str) -> None:
    """Serve the environment's metadata to those who send `Authorization: Bearer TOKEN`."""
    expected = f"Bearer {token}".encode()

    def answer(exchange: Exchange, _body: bytes) -> None:
        given = exchange.request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, expected):
            exchange.respond(401, _PLAIN, b"Unauthorized\n")
        elif exchange.request.method != contract.METADATA.method:
            exchange.respond(405, _PLAIN, b"Method Not Allowed\n")
        else:
            exchange.respond(contract.METADATA.success, _ANSWER, _ZONE)

    for method in _METHODS:
        router.add(method, contract.METADATA.path, Call(answer))
        router.add(method, contract.METADATA.path + "/", Call(answer))

"""The credentials endpoint of an environment that is restored: variables would be in its snapshot.

Source: AWS's Runtime Interface Emulator, bytes and all, but for the expiration: the emulator tells
none, which AWS's SDKs take for long past.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from lambda_runtime import contract
from rapid_mock.http.calls import Call
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.router import Router

VALID = timedelta(hours=12)
_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
_UNKNOWN = b"cannot get credentials for the provided token\n"
_MEMBERS = {
    "AccessKeyId": contract.ENV_ACCESS_KEY_ID,
    "SecretAccessKey": contract.ENV_SECRET_ACCESS_KEY,
    "Token": contract.ENV_SESSION_TOKEN,
}


def add_credentials_api(
    router: Router, token: str, credentials: Mapping[str, str], now: Callable[[], float]
) -> None:
    """Serve `credentials` (by variable name) to those who send `Authorization: TOKEN`.

    `now` tells the epoch time, from which the expiration is counted.
    """
    members = {member: credentials.get(name, "") for member, name in _MEMBERS.items()}

    def answer(exchange: Exchange, _body: bytes) -> None:
        given = exchange.request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, token.encode()):
            exchange.respond(404, [_TEXT, _NO_SNIFFING], _UNKNOWN)
            return
        expiration = (datetime.fromtimestamp(now(), UTC) + VALID).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = json.dumps(members | {"Expiration": expiration}, separators=(",", ":"))
        exchange.respond(contract.CREDENTIALS.success, [_TEXT], body.encode())

    router.add(contract.CREDENTIALS.method, contract.CREDENTIALS.path, Call(answer))

"""What the events of HTTP front ends share: query strings, headers and bodies."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from rapid_mock.events.values import Body, Origin, text_of

Query = Mapping[str, str | Sequence[str]]
"""Parameters, decoded; several values as a sequence."""

USER_AGENT = "curl/8.5.0"
SOURCE_IP = "192.0.2.1"


def values_of(parameters: Query | None) -> dict[str, list[str]]:
    """Every parameter with all its values."""
    return {
        name: [value] if isinstance(value, str) else list(value)
        for name, value in (parameters or {}).items()
    }


def joined(parameters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Payload format 2.0: the values of one name joined by commas."""
    return {name: ",".join(values) for name, values in parameters.items()}


def last(parameters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Payload format 1.0: of several values the last."""
    return {name: values[-1] for name, values in parameters.items() if values}


def raw_query(parameters: Mapping[str, Sequence[str]]) -> str:
    return urlencode(parameters, doseq=True)


def encoded_body(body: Body | None) -> tuple[str | None, bool]:
    """A body as its event carries it, and whether that is base64."""
    if isinstance(body, bytes):
        return base64.b64encode(body).decode(), True
    return (None if body is None else text_of(body)), False


def request_headers(
    given: Query | None, body: Body | None, host: str, origin: Origin, source_ip: str = SOURCE_IP
) -> dict[str, list[str]]:
    """The given headers over those that every request through a front end has, in lower case."""
    defaults: dict[str, Any] = {
        "accept": ["*/*"],
        "host": [host],
        "user-agent": [USER_AGENT],
        "x-amzn-trace-id": [f"Root=1-{int(origin.now):08x}-{origin.hexadecimal(24)}"],
        "x-forwarded-for": [source_ip],
        "x-forwarded-port": ["443"],
        "x-forwarded-proto": ["https"],
    }
    if body is not None:
        raw, is_base64 = encoded_body(body)
        size = len(base64.b64decode(raw or "")) if is_base64 else len((raw or "").encode())
        defaults["content-length"] = [str(size)]
        defaults["content-type"] = [_content_type(body)]
    return dict(sorted({**defaults, **_lower_case(values_of(given))}.items()))


def _content_type(body: Body) -> str:
    if isinstance(body, bytes):
        return "application/octet-stream"
    return "text/plain" if isinstance(body, str) else "application/json"


def _lower_case(headers: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name.lower(): values for name, values in headers.items()}

"""A request to a Function URL as the event that its function gets: payload format 2.0.

Source: "Invoking Lambda function URLs", Lambda Developer Guide; which bodies are base64: recorded
from AWS.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from rapid_mock.http.exchange import Request

_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an event tells beside the request: whose URL, when (epoch seconds), from where.

    `caller` is the account of a signed request, else `anonymous`.
    """

    url_id: str
    request_id: str
    trace_id: str
    wall: float
    source_ip: str
    caller: str = "anonymous"


def url_event(request: Request, body: bytes, arrival: Arrival) -> dict[str, Any]:
    """The event; members without content are absent, the Cookie header is a list of its own."""
    headers = _headers(request, arrival)
    cookies = headers.pop("cookie", "")
    text, is_base64 = _body(body, headers.get("content-type", ""))
    host = request.host or ""
    moment = datetime.fromtimestamp(arrival.wall, UTC)
    context: dict[str, Any] = {
        "accountId": arrival.caller,
        "apiId": arrival.url_id,
        "domainName": host,
        "domainPrefix": arrival.url_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": arrival.source_ip,
            "userAgent": headers.get("user-agent"),
        },
        "requestId": arrival.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(arrival.wall * 1000),
    }
    parameters = _parameters(request.query)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        **({"cookies": cookies.split("; ")} if cookies else {}),
        "headers": headers,
        **({"queryStringParameters": parameters} if parameters else {}),
        "requestContext": context,
        **({"body": text} if text else {}),
        "isBase64Encoded": is_base64,
    }


def _headers(request: Request, arrival: Arrival) -> dict[str, str]:
    """All of them in lower case, those of one name joined, and those that Lambda adds."""
    joined: dict[str, str] = {}
    for name, value in request.header_pairs:
        key, separator = name.lower(), "; " if name.lower() == "cookie" else ","
        joined[key] = f"{joined[key]}{separator}{value}" if key in joined else value
    port = (request.host or "").rpartition(":")[2]
    added = {
        "x-amzn-trace-id": arrival.trace_id,
        "x-forwarded-for": arrival.source_ip,
        "x-forwarded-port": port if port.isdigit() else "80",
        "x-forwarded-proto": "http",
    }
    return dict(sorted((joined | added).items()))


def _parameters(query: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return "", False
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True

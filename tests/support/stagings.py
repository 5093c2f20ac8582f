"""How what was read in RIE's source can come about: the exchanges around it.

A scenario that was read has only the exchanges it is about, without times, or a record that is
sent. `stage` puts them among others, written as the recordings are; the read ones stay as they are.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

Recorded = dict[str, Any]
Headers = list[list[str]]

INVOKE = "/2015-03-31/functions/function/invocations"
RUNTIME = "/2018-06-01/runtime/invocation"
EXTENSION = "/2020-01-01/extension"
TELEMETRY = "/2022-07-01/telemetry"
ARN = "arn:aws:lambda:us-east-1:012345678912:function:test_function"
MANAGED_ARN = "arn:aws:lambda:us-east-1:123456789012:function:test_function"
JSON = ["Content-Type", "application/json"]
STREAMING = ["Lambda-Runtime-Function-Response-Mode", "streaming"]
CHUNKED = ["Transfer-Encoding", "chunked"]
MID = '{"errorMessage":"mid","errorType":"Function.Mid"}'
REQUEST_ID, EXTENSION_ID = "<uuid:1>", "<uuid:7>"
PENDING: Recorded = {"pending": True}
BROKEN: Recorded = {"error": "connection closed without response"}
LOST_LINES = 12_000
"""More than a subscriber's queue holds, whose batches have 1000 records at least."""
POLLS = 10_000


def stage(scenario: Recorded) -> Recorded:
    """The scenario with the exchanges around it."""
    name = scenario["name"]
    staging = _header_is_ignored if name.startswith("bad_direct_header_") else _STAGINGS[name]
    return scenario | {"started": [REQUEST_ID]} | staging([*map(_whole, scenario["steps"])])


def _whole(read: Recorded) -> Recorded:
    """What was read leaves out the length of a body."""
    response = read.get("response", {})
    headers = response.get("headers", [])
    if "body" in response and read["actor"] != "platform":
        length = ["Content-Length", str(len(response["body"]))]
        return read | {"response": response | {"headers": [*headers, length]}}
    return read


def _during(step: Recorded, at: int, end: int, **more: Any) -> Recorded:
    return step | {"at_ms": at, "completed_at_ms": end} | more


def _call(
    actor: str,
    method: str,
    path: str,
    response: Recorded,
    *,
    headers: Headers | None = None,
    body: str = "",
    **more: Any,
) -> Recorded:
    request = {"method": method, "path": path, "headers": headers or [], "body": body, **more}
    return {"actor": actor, "request": request, "response": response}


def _answer(status: int, body: str, *headers: list[str]) -> Recorded:
    length = ["Content-Length", str(len(body))]
    return {"status": status, "headers": [*headers, length], "body": body}


def _delivered(*, arn: str = ARN) -> Recorded:
    headers = [
        JSON,
        ["Lambda-Runtime-Aws-Request-Id", REQUEST_ID],
        ["Lambda-Runtime-Deadline-Ms", "<epoch_ms>"],
        ["Lambda-Runtime-Invoked-Function-Arn", arn],
    ]
    return _call("runtime", "GET", f"{RUNTIME}/next", _answer(200, "{}", *headers))


def _responds(headers: Headers, response: Recorded | None = None, **more: Any) -> Recorded:
    path = f"{RUNTIME}/{REQUEST_ID}/response"
    accepted = _answer(202, '{"status":"OK"}\n', JSON)
    return _call("runtime", "POST", path, response or accepted, headers=headers, **more)


def _invoke(response: Recorded) -> Recorded:
    return _call("invoker", "POST", INVOKE, response, body="{}")


_NEXT = _call("runtime", "GET", f"{RUNTIME}/next", PENDING)
_TEXT = ["Content-Type", "text/plain; charset=utf-8"]
_INVOKED = _during(_invoke(_answer(200, "ok", _TEXT)), 0, 40)
_WAITING = _during(_invoke(PENDING), 0, 99)
_ANSWERED = [_during(_delivered(), 10, 11), _during(_responds([JSON], body="ok"), 20, 21)]


def _registers(name: str, events: list[str], extension_id: str) -> Recorded:
    function = '{"functionName":"test_function","functionVersion":"$LATEST","handler":""}\n'
    return _call(
        f"ext:{name}",
        "POST",
        f"{EXTENSION}/register",
        _answer(200, function, JSON, ["Lambda-Extension-Identifier", extension_id]),
        headers=[["Lambda-Extension-Name", name]],
        body=json.dumps({"events": events}),
    )


# --- One staging each ---------------------------------------------------------------------------


def _header_is_ignored(read: list[Recorded]) -> Recorded:
    return {"steps": [_during(read[0], 0, 40), *_ANSWERED, _during(_NEXT, 30, 99)]}


def _invoker_leaves(read: list[Recorded]) -> Recorded:
    left = _invoke({"error": "closed by its client"})
    leaving = {"actor": "invoker", "action": "closes its connection", "at_ms": 15}
    steps = [
        _during(left, 0, 16),
        _during(_delivered(), 10, 11),
        leaving,
        _during(read[0], 20, 21),
        _during(_NEXT, 30, 99),
    ]
    return {"steps": steps}


Staging = Callable[[list[Recorded]], Recorded]


def _streamed(*chunks: str, trailers: Headers | None = None) -> Staging:
    announced = [["Trailer", ", ".join(name for name, _ in trailers)]] if trailers else []
    headers = [STREAMING, CHUNKED, *announced]
    response = _responds(headers, chunks=[*chunks], trailers=trailers or [])

    def staging(read: list[Recorded]) -> Recorded:
        steps = [
            _during(read[0], 0, 40),
            _during(_delivered(), 10, 11),
            _during(response, 20, 21),
            _during(_NEXT, 30, 99),
        ]
        return {"steps": steps}

    return staging


_PART = _responds([STREAMING], BROKEN, body="partial", content_length_override=100)


def _stream_times_out(read: list[Recorded]) -> Recorded:
    waited = read[0]["response"] | {"elapsed_ms_approx": 1010}
    steps = [
        _during(read[0], 0, 1010, response=waited),
        _during(_delivered(), 10, 11),
        _during(_PART, 20, 1005),
    ]
    return {"steps": steps, "env": {"AWS_LAMBDA_FUNCTION_TIMEOUT": "1"}}


def _stream_fails(read: list[Recorded]) -> Recorded:
    exits = {"actor": "runtime", "action": "exit", "code": 1, "at_ms": 30}
    steps = [_during(read[0], 0, 40), _during(_delivered(), 10, 11), _during(_PART, 20, 31), exits]
    return {"steps": steps}


def _too_long(read: list[Recorded]) -> Recorded:
    asked, posted = read
    steps = [_during(asked, 0, 40), _during(_delivered(), 10, 11), _during(posted, 20, 21)]
    return {"steps": [*steps, _during(_NEXT, 30, 99)]}


def _reports_twice(read: list[Recorded]) -> Recorded:
    first = _call(
        "ext:a",
        "POST",
        f"{EXTENSION}/init/error",
        _answer(202, '{"status":"OK"}\n', JSON),
        headers=read[0]["request"]["headers"],
    )
    registers = _during(_registers("a", [], "<uuid:1>"), 10, 11)
    steps = [_WAITING, registers, _during(first, 12, 13), _during(read[0], 14, 15)]
    return {"steps": steps, "external_extensions": ["a"], "started": []}


def _turned_off(read: list[Recorded]) -> Recorded:
    others = [
        ("GET", f"{EXTENSION}/event/next"),
        ("POST", f"{EXTENSION}/init/error"),
        ("POST", f"{EXTENSION}/exit/error"),
        ("PUT", TELEMETRY),
        ("PUT", "/2020-08-15/logs"),
    ]
    refused = [
        _during(_call("int:x", method, path, _answer(404, "")), 3 + number, 3 + number)
        for number, (method, path) in enumerate(others)
    ]
    started = {"actor": "recorder", "action": "observe", "what": "processes=['bootstrap']"}
    return {
        "steps": [
            _INVOKED,
            _during(read[0], 1, 2),
            *refused,
            *_ANSWERED,
            _during(_NEXT, 30, 99),
            {**started, "at_ms": 50},
        ],
        "external_extensions": ["ext-a"],
        "layer_files": ["disable-extensions-jwigqn8j"],
    }


def _event_delivered(read: list[Recorded]) -> Recorded:
    steps = [_INVOKED, _during(read[0], 10, 11), _ANSWERED[1], _during(_NEXT, 30, 99)]
    return {"steps": steps}


def _consumer_is_slow(read: list[Recorded]) -> Recorded:
    subscription = {
        "schemaVersion": "2025-01-29",
        "types": ["function"],
        "buffering": {"maxItems": 1000, "timeoutMs": 25},
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:<sink_port>"},
    }
    mine = [["Lambda-Extension-Identifier", EXTENSION_ID]]
    subscribed = _answer(200, '"OK"', _TEXT)
    subscribes = _call(
        "ext:ext-a", "PUT", TELEMETRY, subscribed, headers=mine, body=json.dumps(subscription)
    )
    polls = _call("ext:ext-a", "GET", f"{EXTENSION}/event/next", PENDING, headers=mine)
    lines = "\n".join(f"line {number}" for number in range(LOST_LINES))
    return {
        "steps": [
            _during(_registers("ext-a", ["SHUTDOWN"], EXTENSION_ID), 0, 1),
            _during(subscribes, 2, 3),
            _during(polls, 4, 99),
            _during(_NEXT, 5, 99),
            {"actor": "runtime", "action": "print", "what": lines, "at_ms": 10},
            {"actor": "ext:ext-a", "action": "answers its subscription", "at_ms": 20},
            {**read[0], "at_ms": 30},
        ],
        "env": {"AWS_LAMBDA_MAX_CONCURRENCY": "1"},
        "external_extensions": ["ext-a"],
        "started": [],
    }


def _one_poll_more(read: list[Recorded]) -> Recorded:
    polls = {"actor": "runtime", "action": "polls", "code": POLLS, "at_ms": 0}
    env = {"AWS_LAMBDA_MAX_CONCURRENCY": "1"}
    return {"steps": [polls, _during(read[0], 10, 11)], "env": env, "started": []}


def _subscribes_wrongly(read: list[Recorded]) -> Recorded:
    registers = _during(_registers("a", [], "<uuid:1>"), 10, 11)
    steps = [_WAITING, registers, _during(read[0], 12, 13)]
    return {"steps": steps, "external_extensions": ["a"], "started": []}


_ENCODED = base64.b64encode(MID.encode()).decode()
_STAGINGS: dict[str, Staging] = {
    "internal_error_direct_invoke": _invoker_leaves,
    "streaming_complete_trailers": _streamed("chu", "nks"),
    "streaming_error_trailers": _streamed(
        "partial",
        trailers=[
            ["Lambda-Runtime-Function-Error-Type", "Function.Mid"],
            ["Lambda-Runtime-Function-Error-Body", _ENCODED],
        ],
    ),
    "streaming_timeout": _stream_times_out,
    "streaming_failure": _stream_fails,
    "buffered_oversize_direct": _too_long,
    "extension_exit_error_from_init_error": _reports_twice,
    "extensions_disabled": _turned_off,
    "renderer_not_set": _event_delivered,
    "telemetry_slow_consumer": _consumer_is_slow,
    "mi_too_many_idle": _one_poll_more,
    "cloud_telemetry_validation_error": _subscribes_wrongly,
}

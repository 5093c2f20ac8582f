"""The Lambda API but for invocations: bytes to calls, answers and refusals to bytes.

An operation needs an Authorization header, of any content: a page in a browser cannot send one here
without asking first. Source: Lambda API reference.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from lambda_runtime import contract
from rapid_mock.errors import (
    EntityTooLarge,
    MissingAuthentication,
    SerializationFailed,
    ServiceError,
)
from rapid_mock.http.exchange import Exchange, Request
from rapid_mock.http.invoke_request import refuse_invoke
from rapid_mock.http.router import Router
from rapid_mock.service.calls import Body, Call
from rapid_mock.tracing import new_request_id

MAX_REQUEST_BYTES = 70_167_211


Answer = Body | Awaitable[Body]
"""What an operation gives: at once, or later."""


class Operation(NamedTuple):
    """One operation: where it is, the status of its success, and who answers it.

    One with `is_by_query` is meant when the query has this parameter.
    """

    name: str
    method: str
    path: str
    status: int
    answer: Callable[[Call], Answer]
    is_by_query: str = ""


def add_control_api(router: Router, operations: Iterable[Operation]) -> None:
    """Serve these operations; of two on one path the query chooses."""
    routes: dict[tuple[str, str], list[Operation]] = {}
    for operation in operations:
        routes.setdefault((operation.method, operation.path), []).append(operation)
    for (method, path), candidates in routes.items():
        candidates.sort(key=lambda each: not each.is_by_query)
        router.add(method, path, _Control(candidates))


class _Control:
    """The endpoint of the operations of one path and method."""

    max_body = MAX_REQUEST_BYTES

    def __init__(self, candidates: list[Operation]) -> None:
        self._candidates = candidates
        self._tasks: set[asyncio.Task[None]] = set()

    def head(self, exchange: Exchange) -> None:
        """Refuse before the body is read what will not be done."""
        if "authorization" not in exchange.request.headers:
            refusal = MissingAuthentication("Missing Authentication Token")
            refuse_invoke(exchange, new_request_id(), refusal)

    def complete(self, exchange: Exchange, body: bytes, _trailers: list[tuple[str, str]]) -> None:
        request_id = new_request_id()
        try:
            call = _read_call(exchange.request, body)
            operation = next(
                each for each in self._candidates if each.is_by_query in ("", *call.query)
            )
            answer = operation.answer(call)
        except ServiceError as refusal:
            refuse_invoke(exchange, request_id, refusal)
            return
        if inspect.isawaitable(answer):
            self._start(_later(exchange, request_id, operation.status, answer))
        else:
            _respond(exchange, request_id, operation.status, answer)

    def too_large(self, exchange: Exchange) -> None:
        name = self._candidates[0].name
        text = f"Request must be smaller than {self.max_body} bytes for the {name} operation"
        refuse_invoke(exchange, new_request_id(), EntityTooLarge(text))

    def truncated(self, _exchange: Exchange) -> None:
        """Nobody is left to answer."""

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _later(exchange: Exchange, request_id: str, status: int, body: Awaitable[Body]) -> None:
    """Answer when an operation that takes its time is done."""
    try:
        _respond(exchange, request_id, status, await body)
    except ServiceError as refusal:
        refuse_invoke(exchange, request_id, refusal)


def _respond(exchange: Exchange, request_id: str, status: int, body: Body) -> None:
    headers = [
        ("Content-Type", contract.CONTENT_TYPE_JSON),
        (contract.HEADER_AMZN_REQUEST_ID, request_id),
    ]
    text = "" if body is None else json.dumps(body, separators=(",", ":"))
    exchange.respond(status, headers, text.encode())


class Download:
    """Serves what `find` gives for the path's token; without one it is 404."""

    max_body = 0

    def __init__(self, find: Callable[[str], bytes | None]) -> None:
        self._find = find

    def head(self, _exchange: Exchange) -> None:
        return None

    def complete(self, exchange: Exchange, _body: bytes, _trailers: list[tuple[str, str]]) -> None:
        found = self._find(exchange.request.params["token"])
        status = 404 if found is None else 200
        exchange.respond(status, [("Content-Type", "application/zip")], found or b"")

    def too_large(self, exchange: Exchange) -> None:
        exchange.respond(413, [])

    def truncated(self, _exchange: Exchange) -> None:
        """Nobody is left to answer."""


def _read_call(request: Request, body: bytes) -> Call:
    lists = parse_qs(request.query, keep_blank_values=True)
    return Call(
        params=request.params,
        query={name: values[0] for name, values in lists.items()},
        query_lists=lists,
        body=_read_object(body),
        base_url=f"http://{request.host or ''}",
    )


def _read_object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SerializationFailed("Could not parse request body into json") from error
    if not isinstance(value, dict):
        raise SerializationFailed("Expected a JSON object")
    return value

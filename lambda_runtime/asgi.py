"""ASGI applications (FastAPI, Starlette, Django, Quart ...) as handlers; imported on demand.

    from lambda_runtime.asgi import asgi
    handler = asgi(app)

Serves Function URLs, API Gateway (payload formats 1.0 and 2.0) and Application Load Balancers.
"""

from __future__ import annotations

from os import environ

from lambda_runtime.hooks import after_response, on_init, on_shutdown
from lambda_runtime.http_events import decoded_path, http_request, joined_headers, raw_path
from lambda_runtime.http_exchange import BODY, START, Exchange
from lambda_runtime.lifespan import Lifespan
from lambda_runtime.streaming import HttpResponse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from lambda_runtime.context import LambdaContext
    from lambda_runtime.http_events import HttpRequest
    from lambda_runtime.lifespan import Application, Message, Receive, Send

    AsgiHandler = Callable[[Any, LambdaContext], Coroutine[Any, Any, object]]

ENV_INVOKE_MODE = "LAMBDA_RUNTIME_INVOKE_MODE"
RESPONSE_STREAM = "RESPONSE_STREAM"


def asgi(
    app: Application, *, stream: bool | None = None, lifespan: bool = True, root_path: str = ""
) -> AsgiHandler:
    """A handler that passes HTTP events to an ASGI application.

    `stream`: send the response as the application produces it. Neither the event nor the Runtime
    API tells how a function was invoked, so this must say what its Function URL's `InvokeMode`, or
    its REST API's response transfer mode, says; None reads `LAMBDA_RUNTIME_INVOKE_MODE`, which is
    `RESPONSE_STREAM` or `BUFFERED` (the default). HTTP APIs and load balancers cannot stream and
    are answered as a whole in any case. `lifespan`: start the application in the init phase and
    end it in the shutdown phase; `request_sigterm` makes Lambda have one. `root_path`: where the
    application is mounted when the event does not tell, such as the base path of a custom domain;
    the name of a stage is found by itself.

    The scope has the event as `aws.event` and the context as `aws.context`. An application that
    raises is logged, and answered with status 500 as by any ASGI server: the Errors metric counts
    functions that fail, not requests. When part of a stream is on its way the invocation fails.
    Raises NotAnHttpEvent from the handler for other events.
    """
    if stream is None:
        stream = environ.get(ENV_INVOKE_MODE, "").upper() == RESPONSE_STREAM
    front = _FrontEnd(app, Lifespan(app) if lifespan else None, root_path.rstrip("/"))
    on_init(front.start)

    async def handler(event: Any, context: LambdaContext) -> object:
        return await front.answer(event, context, stream=stream)

    return handler


class _FrontEnd:
    """Between the invocations of a function and its application."""

    def __init__(self, app: Application, lifespan: Lifespan | None, root_path: str) -> None:
        self._app = app
        self._lifespan = lifespan
        self._root_path = root_path

    async def start(self) -> None:
        """Start the application; see to it that it is ended."""
        if self._lifespan is not None:
            await self._lifespan.start()
            if self._lifespan.is_running:
                on_shutdown(self._lifespan.stop)

    async def answer(self, event: Any, context: LambdaContext, *, stream: bool) -> object:
        request = http_request(event)
        if self._lifespan is not None:
            await self._lifespan.start()  # by itself only where no runtime has done so, in tests
        scope = self._scope(request)
        scope |= {"aws.event": event, "aws.context": context}
        answer = _streamed if stream and request.may_stream else _whole
        try:
            return await answer(request, Exchange(self._app, scope, request.body))
        except Exception as error:  # noqa: BLE001  whatever an application raises is a 500
            from lambda_runtime.failures import log_error

            log_error(error)
            return await answer(request, Exchange(_internal_server_error, scope, b""))

    def _scope(self, request: HttpRequest) -> dict[str, Any]:
        root, path = self._root_path or request.root_path, request.path
        if not (path + "/").startswith(root + "/"):
            path = root + path
        state = {} if self._lifespan is None else self._lifespan.state
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method.upper(),
            "scheme": request.header("x-forwarded-proto") or "https",
            "path": decoded_path(path),
            "raw_path": raw_path(path),
            "root_path": decoded_path(root),
            "query_string": request.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in request.headers],
            "client": request.client,
            "server": _server(request),
            "state": state.copy(),
        }


def _server(request: HttpRequest) -> tuple[str, int] | None:
    host, _, port = (request.header("host") or "").partition(":")
    port = port or request.header("x-forwarded-port") or "443"
    return (host, int(port)) if host and port.isdecimal() else None


async def _whole(request: HttpRequest, exchange: Exchange) -> object:
    await exchange.begin()
    body = b"".join([chunk async for chunk in exchange.chunks()])
    if not exchange.is_finished:
        after_response(exchange.finish)
    return request.spell(exchange.status, exchange.headers, body)


async def _streamed(_request: HttpRequest, exchange: Exchange) -> object:
    await exchange.begin()
    after_response(exchange.finish)
    headers, cookies = joined_headers(exchange.headers)
    return HttpResponse(exchange.status, headers, cookies, exchange.chunks())


async def _internal_server_error(_scope: Message, _receive: Receive, send: Send) -> None:
    """The application that answers for one that has failed."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": START, "status": 500, "headers": headers})
    await send({"type": BODY, "body": b"Internal Server Error"})

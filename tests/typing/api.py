"""A program that uses every public name of `lambda_runtime`; `mypy --strict` must accept it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NoReturn

from fastapi import FastAPI
from starlette.applications import Starlette

import lambda_runtime
from lambda_runtime import (
    ClientContext,
    Codec,
    CognitoIdentity,
    ConnectionLost,
    DeadlineReached,
    HandlerError,
    HttpResponse,
    Invocation,
    JsonCodec,
    LambdaContext,
    LambdaRuntimeError,
    ResponseStream,
    Runtime,
    RuntimeApiError,
    RuntimeClient,
    after_response,
    cancel_before_deadline,
    current_context,
    middleware,
    on_error,
    on_init,
    on_shutdown,
    register_after_restore,
    register_before_snapshot,
    request_sigterm,
    run,
    use_codec,
)
from lambda_runtime.asgi import asgi


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    after_response(print, event, sep="-")
    return {
        "id": context.aws_request_id.upper(),
        "arn": context.invoked_function_arn.split(":"),
        "left": context.get_remaining_time_in_millis() / 1000,
        "memory": int(context.memory_limit_in_mb or 0),
        "name": context.function_name,
        "version": context.function_version,
        "logs": (context.log_group_name, context.log_stream_name),
        "tenant": context.tenant_id,
        "identity": identity_of(context.identity),
        "installation": installation_of(context.client_context),
        "trace": context.w3c().get("traceparent", ""),
    }


def identity_of(identity: CognitoIdentity) -> tuple[str | None, str | None]:
    return identity.cognito_identity_id, identity.cognito_identity_pool_id


def installation_of(context: ClientContext | None) -> str | None:
    if context is None or context.client is None:
        return None
    return context.client.installation_id


async def coroutine(event: object, context: LambdaContext) -> HttpResponse:
    context.log(event)
    return HttpResponse(204, {"x": "y"}, cookies=["a=b"])


def generator(event: object, context: LambdaContext) -> Iterator[object]:
    yield HttpResponse(body=b"")
    yield {"line": [event, context.aws_request_id]}


async def asynchronous_generator(event: object, context: LambdaContext) -> AsyncIterator[bytes]:
    yield f"{event} {context.aws_request_id}".encode()


def streamed(event: list[str], context: LambdaContext) -> ResponseStream:
    del context
    return ResponseStream(event, "text/plain")


class Shouting:
    """A codec by its shape alone."""

    def decode(self, body: memoryview | bytes, content_type: str | None) -> Any:
        return bytes(body).upper() if content_type else None

    def encode(self, result: object) -> tuple[bytes, str]:
        return str(result).encode(), "text/plain"


codec: Codec = Shouting()
codec = JsonCodec()


@middleware
def around(call: lambda_runtime.Handler, event: Any, context: LambdaContext) -> object:
    return call(event, context)


@on_error
def mapped(error: BaseException, context: LambdaContext | None) -> BaseException | None:
    if isinstance(error, KeyError) and context is not None:
        return HandlerError("Order.Unknown", str(error))
    return None


@on_init
async def connect() -> None: ...


@on_shutdown
def close() -> None:
    print(current_context().aws_request_id)


@register_before_snapshot
def before() -> int:
    return 1


@register_after_restore
def after() -> str:
    return "still callable".removeprefix("still ")


number: int = before() + len(after())


def low_level(client: RuntimeClient) -> NoReturn:
    while True:
        invocation: Invocation = client.next()
        try:
            client.respond(invocation, bytes(invocation.body), "application/octet-stream")
        except RuntimeApiError as refusal:
            print(refusal.status, refusal.body)
        except ConnectionLost as lost:
            print(lost.received)
        except (DeadlineReached, LambdaRuntimeError) as error:
            client.fail(invocation, b"{}", error_type=type(error).__name__)


def everything() -> NoReturn:
    request_sigterm()
    cancel_before_deadline(0.5)
    use_codec(Shouting())
    Runtime(coroutine, codec=codec, middleware=[around], cancel_margin=0.25).run()


def one_line() -> NoReturn:
    run(lambda event, context: {"ok": event, "id": context.aws_request_id})


def handlers() -> None:
    for one in (handler, coroutine, generator, asynchronous_generator, streamed):
        Runtime(one)
    Runtime("app.handler")
    Runtime(asgi(FastAPI(), stream=True, root_path="/orders"))
    Runtime(asgi(Starlette(), lifespan=False))

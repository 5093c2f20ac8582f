"""Finds the handler that "module.function" names. Outcomes and texts: AWS's Python client."""

from __future__ import annotations

import sys

from lambda_runtime.errors import (
    BuiltInModuleConflict,
    HandlerImportFailed,
    HandlerNotFound,
    HandlerSyntaxError,
    MalformedHandlerName,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lambda_runtime.context import LambdaContext

    Handler = Callable[[Any, LambdaContext], object]
else:
    Handler = object


_ASYNC = 0x80 | 0x200
"""CO_COROUTINE and CO_ASYNC_GENERATOR of `inspect`, which is too dear for them."""


def find_handler(name: str) -> Handler:
    """Import the module and get the function; `package/module.function` works too.

    Raises a FaultError that says what is wrong with the name or the module, and whatever else the
    module raises while it is imported.
    """
    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        raise MalformedHandlerName(
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        )
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise BuiltInModuleConflict(f"Cannot use built-in module {module_name} as a handler module")
    module = _import(module_name)
    try:
        return getattr(module, attribute)  # type: ignore[no-any-return]
    except AttributeError:
        raise HandlerNotFound(f"Handler '{attribute}' missing on module '{module_name}'") from None


def prepared(handler: Handler) -> Handler:
    """The handler inside its middleware, after the init hooks.

    asyncio is loaded now for one that will need it. Raises what the init hooks raise.
    """
    hooks = sys.modules.get("lambda_runtime.hooks")
    if is_async(handler):
        __import__("lambda_runtime.event_loop")
    if hooks is None:
        return handler
    hooks.run_init()
    return hooks.wrapped(handler)  # type: ignore[no-any-return]


def is_async(handler: Handler) -> bool:
    """Whether it is a coroutine function, or an async generator function, and says so itself."""
    code = getattr(handler, "__code__", None)
    return code is not None and bool(code.co_flags & _ASYNC)


def _import(module_name: str) -> object:
    dotted = module_name.replace("/", ".")
    if dotted.strip(".") != dotted:
        raise HandlerImportFailed(
            f"Unable to import module '{module_name}': a module's name neither begins nor ends "
            "with a dot or a slash"
        )
    try:
        __import__(dotted)
    except ImportError as error:
        text = f"Unable to import module '{module_name}': {error}"
        raise HandlerImportFailed(text) from _if_raised_inside(error)
    except SyntaxError as error:
        text = f"Syntax error in module '{module_name}': {error}"
        where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text or ""}'
        raise HandlerSyntaxError(text, [where.rstrip("\n")]) from _if_raised_inside(error)
    return sys.modules[dotted]


def _if_raised_inside(error: Exception) -> Exception | None:
    """The error when a module's code led to it: only then its frames say anything."""
    step = error.__traceback__ and error.__traceback__.tb_next
    while step is not None and step.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
        step = step.tb_next
    return None if step is None else error

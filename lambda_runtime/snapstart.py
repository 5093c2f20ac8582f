"""SnapStart: hooks before the snapshot, last registered first, and after the restore, in order.

Hooks registered through AWS's `snapshot_restore_py` run too. Source: "Use runtime hooks with Lambda
SnapStart", AWS Lambda Developer Guide; order, reports and exit codes: AWS's Python client.
"""

from __future__ import annotations

import sys

from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import ParamSpec, TypeVar

    from lambda_runtime.client import RuntimeClient

    P = ParamSpec("P")
    R = TypeVar("R")
    Registered = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]

_before: list[Registered] = []
_after: list[Registered] = []


def register_before_snapshot(
    function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> Callable[P, R]:
    """Call `function(*args, **kwargs)` before the snapshot is taken; usable as a decorator."""
    _before.append((function, args, kwargs))
    return function


def register_after_restore(
    function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> Callable[P, R]:
    """Call `function(*args, **kwargs)` after the restore; usable as a decorator."""
    _after.append((function, args, kwargs))
    return function


def restore(client: RuntimeClient) -> None:
    """Run the hooks around the wait for the restore; a failure is reported and ends the process."""
    try:
        _call(reversed([*_of_aws("get_before_snapshot"), *_before]))
        client.restore_next()
    except BaseException as error:  # noqa: BLE001  even an exit is reported
        _leave(error, client.init_error, contract.ERROR_RUNTIME_BEFORE_SNAPSHOT)
        sys.exit(contract.EXIT_BEFORE_SNAPSHOT_FAILED)
    try:
        _call([*_of_aws("get_after_restore"), *_after])
    except BaseException as error:  # noqa: BLE001  even an exit is reported
        _leave(error, client.restore_error, contract.ERROR_RUNTIME_AFTER_RESTORE)
        sys.exit(contract.EXIT_AFTER_RESTORE_FAILED)


def _call(hooks: Iterable[Registered]) -> None:
    for function, args, kwargs in hooks:
        function(*args, **kwargs)


def _of_aws(getter: str) -> list[Registered]:
    """What is registered with AWS's own package, when something has imported it; it is emptied."""
    package = sys.modules.get("snapshot_restore_py")
    if package is None:
        return []
    registry = getattr(package, getter)()
    found = list(registry)
    registry.clear()
    return found


def _leave(error: BaseException, post: Callable[[bytes, str], None], error_type: str) -> None:
    from lambda_runtime.failures import log_error

    post(log_error(error).body(""), error_type)

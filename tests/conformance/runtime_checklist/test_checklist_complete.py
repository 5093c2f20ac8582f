"""The checklist is whole: 133 items, each tested once, or named here as not run."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

CONCURRENCY = "managed instances: one invocation at a time is what this suite plays"
NOT_RUN = {
    112: f"N workers for AWS_LAMBDA_MAX_CONCURRENCY=N ({CONCURRENCY})",
    113: f"a provider socket redirects both standard streams ({CONCURRENCY})",
    114: f"a worker's failure is its own ({CONCURRENCY})",
    115: f"a poll that fails is repeated with backoff ({CONCURRENCY})",
    117: f"a post that fails is logged and survived ({CONCURRENCY})",
    118: f"an init error that is forbidden is passed over ({CONCURRENCY})",
    119: f"an init error that is refused otherwise is not ({CONCURRENCY})",
    122: f"the record `runtime_worker_pool_initializing` ({CONCURRENCY})",
    133: f"a dead worker is replaced, SIGTERM handed on ({CONCURRENCY})",
}


def items_of(path: Path) -> list[int]:
    """The numbers of the items that a module's functions are marked with."""
    return [
        number.value
        for function in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(function, ast.FunctionDef)
        for mark in function.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "item"
        for number in mark.args[:1]
        if isinstance(number, ast.Constant) and isinstance(number.value, int)
    ]


def test_every_item_is_tested_once() -> None:
    """1 to 133, none twice, none missing but those that are not run."""
    modules = Path(__file__).parent.glob("test_checklist_*.py")
    counted = Counter(number for path in modules for number in items_of(path))
    assert counted == Counter(set(range(1, 134)) - set(NOT_RUN))


@pytest.mark.parametrize("number", NOT_RUN, ids="D{}".format)
def test_not_run(number: int) -> None:
    """What no test here covers is reported as not run."""
    pytest.skip(f"not run: {NOT_RUN[number]}")

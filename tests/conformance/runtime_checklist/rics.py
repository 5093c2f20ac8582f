"""The Runtime Interface Clients that the checklist judges, and the mark that names an item of it.

awslambdaric comes first: it must pass what its own tests state and what was seen of it, which
proves the suite. Only then the suite judges ours.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal, NamedTuple, TypeVar

import pytest

import lambda_runtime

Kind = Literal["S", "P", "B"]
"""Stated by awslambdaric's tests; seen when it was probed; better behaviour that we chose."""

Expectation = TypeVar("Expectation")


class Ric(NamedTuple):
    """A client, run as `python -m module handler`."""

    module: str
    version: str

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", self.module, *arguments]

    def expects(self, *, awslambdaric: Expectation, lambda_runtime: Expectation) -> Expectation:
        """What this client has to do, where the two differ."""
        return awslambdaric if self.module == "awslambdaric" else lambda_runtime


def _installed() -> str:
    """The version of awslambdaric, if it and its native half are here."""
    try:
        return version("awslambdaric") if find_spec("runtime_client") else ""
    except PackageNotFoundError:
        return ""


AWSLAMBDARIC = Ric("awslambdaric", _installed())
OURS = Ric("lambda_runtime", lambda_runtime.__version__)

_needs_awslambdaric = pytest.mark.skipif(
    not AWSLAMBDARIC.version, reason="awslambdaric is not installed: it is for CPython on Linux"
)


def item(number: int, kind: Kind, *, recorded: bool = False) -> pytest.MarkDecorator:
    """Item `number` of the checklist: a test per client, of `ric`.

    A B item is asserted for ours only; `recorded` ones also hold what awslambdaric does instead.
    """
    judged = [OURS] if kind == "B" and not recorded else [AWSLAMBDARIC, OURS]
    return pytest.mark.parametrize(
        "ric",
        [
            pytest.param(
                ric,
                id=f"D{number}-{kind}-{ric.module}",
                marks=[_needs_awslambdaric] if ric is AWSLAMBDARIC else [],
            )
            for ric in judged
        ],
    )

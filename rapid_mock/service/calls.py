"""One call of the Lambda API that is no invocation, decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any] | None
"""The JSON members of an answer; None for an answer without a body."""


@dataclass(frozen=True, slots=True)
class Call:
    """`params` come from the path, `query` has each parameter's first value, `query_lists` all.

    `body`: the request's JSON object, empty without one. `base_url`: this service's, as the caller
    knows it, without a slash at its end.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    query_lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    base_url: str = ""

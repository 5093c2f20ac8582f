"""What a template comes to: calls of the Lambda API and of the other services."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rapid_mock.templates.resources import AwsCall


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One operation of the Lambda API: `params` of its path, its query, its body."""

    operation: str
    params: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Project:
    """What a template comes to: calls in order, directories by function, what is left out.

    `resources` are made before everything else, `mappings` and destinations of events after it;
    `pushes` when all of it is served.
    """

    resources: list[AwsCall] = field(default_factory=list)
    calls: list[ApiCall] = field(default_factory=list)
    mappings: list[ApiCall] = field(default_factory=list)
    pushes: list[AwsCall] = field(default_factory=list)
    places: dict[str, list[Path]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

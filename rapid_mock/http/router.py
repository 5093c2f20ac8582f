"""(method, path template) -> endpoint; 404 and 405 as the real APIs answer them.

Paths are taken as they stand: no redirect, no normalisation (RIE). A template's `{name}` stands for
one raw segment, which is percent-decoded afterwards: boto3 sends ARNs with their colons encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from rapid_mock.http.exchange import Endpoint


class Route(NamedTuple):
    """The endpoint of a request, and the values of its template's names."""

    endpoint: Endpoint
    params: dict[str, str]


class NotFound(NamedTuple):
    """No template fits the path."""


class MethodNotAllowed(NamedTuple):
    """The path exists, for the methods in `allow`."""

    allow: str


class _Template(NamedTuple):
    segments: tuple[str, ...]
    methods: dict[str, Endpoint]

    def match(self, segments: list[str]) -> dict[str, str] | None:
        params = {}
        for expected, segment in zip(self.segments, segments, strict=True):
            if expected.startswith("{"):
                params[expected[1:-1]] = unquote(segment)
            elif expected != segment:
                return None
        return params


class Router:
    """Templates by their text; those without names are found by one look-up."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._templates: dict[str, _Template] = {}

    def add(self, method: str, template: str, endpoint: Endpoint) -> None:
        """Serve `method` on `template` (`/a/{name}/b`) by `endpoint`."""
        if "{" not in template:
            self._exact.setdefault(template, {})[method] = endpoint
            return
        known = self._templates.setdefault(template, _Template(tuple(template.split("/")), {}))
        known.methods[method] = endpoint

    def resolve(self, method: str, path: str) -> Route | NotFound | MethodNotAllowed:
        """Find the endpoint for a raw path without its query."""
        methods = self._exact.get(path)
        params: dict[str, str] | None = {}
        if methods is None:
            segments = path.split("/")
            for template in self._templates.values():
                if len(template.segments) == len(segments):
                    params = template.match(segments)
                    if params is not None:
                        methods = template.methods
                        break
        if methods is None or params is None:
            return NotFound()
        endpoint = methods.get(method)
        if endpoint is None:
            return MethodNotAllowed(", ".join(sorted(methods)))
        return Route(endpoint, params)

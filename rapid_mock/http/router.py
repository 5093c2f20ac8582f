"""(method, path template) -> endpoint; 404 and 405 as the real APIs answer them.

Paths are taken as they stand: no redirect, no normalisation (RIE). A template's `{name}` stands for
one raw segment, which is percent-decoded afterwards: boto3 sends ARNs with their colons encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from rapid_mock.http.exchange import Endpoint, Request


class Route(NamedTuple):
    """The endpoint of a request, and the values of its template's names."""

    endpoint: Endpoint
    params: dict[str, str]


class NotFound(NamedTuple):
    """No template fits the path."""


class MethodNotAllowed(NamedTuple):
    """The path exists, for the methods in `allow` (`"GET, PUT"`)."""

    allow: str


class _Template(NamedTuple):
    pattern: re.Pattern[str]
    method: str
    endpoint: Endpoint


class Router:
    """Templates without names are found by one look-up, the others by their number of segments.

    Of several templates that fit a path the one without names wins, then the one added first.
    """

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._templates: dict[int, list[_Template]] = {}
        self._add_late: Callable[[], None] | None = None

    def add(self, operation_method: str, template: str, endpoint: Endpoint) -> None:
        """Serve `operation_method` on `template` (`/a/{name}/b`) by `endpoint`."""
        if "{" not in template:
            self._exact.setdefault(template, {})[operation_method] = endpoint
            return
        pattern = re.compile("/".join(_segment_pattern(text) for text in template.split("/")))
        known = self._templates.setdefault(template.count("/"), [])
        known.append(_Template(pattern, operation_method, endpoint))

    def add_late(self, add: Callable[[], None]) -> None:
        """Call `add`, which adds routes, once a request fits none of those there are."""
        self._add_late = add

    def find(self, request: Request) -> Route | NotFound | MethodNotAllowed:
        """Find the endpoint for a request."""
        return self.resolve(request.method, request.path)

    def resolve(self, method: str, path: str) -> Route | NotFound | MethodNotAllowed:
        """Find the endpoint for a raw path without its query."""
        exact = self._exact.get(path)
        if exact is not None and method in exact:
            return Route(exact[method], {})
        for template in self._templates.get(path.count("/"), ()):
            if template.method == method and (found := template.pattern.fullmatch(path)):
                params = found.groupdict()
                if "%" in path:
                    params = {name: unquote(text) for name, text in params.items()}
                return Route(template.endpoint, params)
        if self._add_late is not None:
            add, self._add_late = self._add_late, None
            add()
            return self.resolve(method, path)
        allowed = self._allowed(path)
        return MethodNotAllowed(", ".join(sorted(allowed))) if allowed else NotFound()

    def _allowed(self, path: str) -> set[str]:
        allowed = set(self._exact.get(path, ()))
        for template in self._templates.get(path.count("/"), ()):
            if template.pattern.fullmatch(path):
                allowed.add(template.method)
        return allowed


def _segment_pattern(text: str) -> str:
    return f"(?P<{text[1:-1]}>[^/]*)" if text.startswith("{") else re.escape(text)

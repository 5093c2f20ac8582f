"""Who may talk to a listener: loopback names only, and no web page of another site."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_HOST = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::\d*)?")
_REMEMBERED_HOSTS = 100


class Guard:
    """Checks the Host and the origin of requests; `allowed` are further host names.

    A browser can be made to send requests to loopback, under any name that resolves there; creating
    a function is running code, so both roads are closed.
    """

    def __init__(self, allowed: frozenset[str] = frozenset()) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)
        self._known: dict[str, bool] = {}

    def refusal(self, host: str | None, headers: dict[str, str]) -> str | None:
        """One sentence that says why this request is refused, or None.

        `host` is None where a request needs none (HTTP/1.0).
        """
        if host is not None and not self._is_known(host):
            return f"host {host!r} is not a loopback name; allow it with --allow-host"
        if "sec-fetch-site" in headers and headers["sec-fetch-site"].lower() == "cross-site":
            return "requests of other web sites are refused"
        origin = headers.get("origin")
        if origin is not None and not self._is_local(_origin_host(origin)):
            return f"requests of the web site {origin!r} are refused"
        return None

    def _is_known(self, host: str) -> bool:
        known = self._known.get(host)
        if known is None:
            parts = _HOST.fullmatch(host)
            known = parts is not None and self._is_local(parts[1] or parts[2] or "")
            if len(self._known) < _REMEMBERED_HOSTS:
                self._known[host] = known
        return known

    def _is_local(self, name: str) -> bool:
        name = name.lower().removesuffix(".")
        if name == "localhost" or name.endswith(".localhost") or name in self._allowed:
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


class Unguarded(Guard):
    """Lets everybody in: for a Function URL, which is there for web pages and any host name."""

    def refusal(self, host: str | None, headers: dict[str, str]) -> str | None:  # noqa: ARG002  Guard's form
        return None


def _origin_host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""

"""Who may talk to a listener: loopback names only, and no web page of another site."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


class Guard:
    """Checks the Host and the origin of requests; `allowed` are further host names.

    A browser can be made to send requests to loopback, under any name that resolves there; creating
    a function is running code, so both roads are closed.
    """

    def __init__(self, allowed: frozenset[str] = frozenset()) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)
        self._known: dict[str, bool] = {}

    def refusal(self, headers: dict[str, str]) -> str | None:
        """One sentence that says why this request is refused, or None."""
        host = headers.get("host")
        if host is not None and not self._is_known(host):
            return f"host {host!r} is not a loopback name; allow it with --allow-host"
        if headers.get("sec-fetch-site") == "cross-site":
            return "requests of other web sites are refused"
        origin = headers.get("origin")
        if origin is not None and not self._is_local(urlsplit(origin).hostname or ""):
            return f"requests of the web site {origin!r} are refused"
        return None

    def _is_known(self, host: str) -> bool:
        known = self._known.get(host)
        if known is None:
            known = self._is_local(_without_port(host))
            if len(self._known) < 100:
                self._known[host] = known
        return known

    def _is_local(self, name: str) -> bool:
        name = name.lower().rstrip(".")
        if name == "localhost" or name.endswith(".localhost") or name in self._allowed:
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host

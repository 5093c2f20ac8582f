"""Cross-origin resource sharing of a Function URL: what the service answers and adds by itself.

Source: "Cross-origin resource sharing (CORS)", Lambda Developer Guide, "Function URLs".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Headers = list[tuple[str, str]]


def preflight(cors: Mapping[str, Any], headers: Mapping[str, str]) -> Headers | None:
    """The headers that answer a preflight request; None when this is none."""
    method = headers.get("access-control-request-method")
    if not cors or method is None or "origin" not in headers:
        return None
    shared = allowed(cors, headers.get("origin"))
    if not shared or not _fits(cors.get("AllowMethods", ()), method):
        return []
    answer = [*shared, ("Access-Control-Allow-Methods", ",".join(cors["AllowMethods"]))]
    if cors.get("AllowHeaders"):
        answer.append(("Access-Control-Allow-Headers", ",".join(cors["AllowHeaders"])))
    if "MaxAge" in cors:
        answer.append(("Access-Control-Max-Age", str(cors["MaxAge"])))
    return answer


def allowed(cors: Mapping[str, Any], origin: str | None) -> Headers:
    """The headers of an answer to a page of `origin`; empty for one that is not allowed."""
    origins: Sequence[str] = cors.get("AllowOrigins", ())
    if origin is None or not _fits(origins, origin):
        return []
    headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
    if "*" in origins and not cors.get("AllowCredentials"):
        headers = [("Access-Control-Allow-Origin", "*")]
    if cors.get("AllowCredentials"):
        headers.append(("Access-Control-Allow-Credentials", "true"))
    if cors.get("ExposeHeaders"):
        headers.append(("Access-Control-Expose-Headers", ",".join(cors["ExposeHeaders"])))
    return headers


def _fits(patterns: Sequence[str], text: str) -> bool:
    return "*" in patterns or any(text.lower() == pattern.lower() for pattern in patterns)

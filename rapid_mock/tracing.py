"""Trace headers for invokers that send none."""

from __future__ import annotations

import secrets
import time


def new_trace_header() -> str:
    """A trace that begins here and is not sampled: `Root=1-<8 hex>-<24 hex>;Parent=...;Sampled=0`.

    Source: "Tracing header", AWS X-Ray Developer Guide.
    """
    root = f"{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root=1-{root};Parent={secrets.token_hex(8)};Sampled=0"

"""`python -m lambda_runtime app.handler`: the runtime of a container image or a custom runtime."""

from __future__ import annotations

import sys

from lambda_runtime.start import main


def __getattr__(name: str) -> object:
    """`bootstrap`, by which instrumentation libraries know AWS's client; loaded when asked for."""
    if name != "bootstrap":
        raise AttributeError(name)
    from lambda_runtime import compat

    return compat


sys.exit(main(sys.argv))

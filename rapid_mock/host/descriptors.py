"""How many files and sockets this process may have open."""

from __future__ import annotations

import contextlib
import resource

WANTED = 65536
"""Enough for a thousand environments, at six to ten descriptors each."""


def raise_descriptor_limit() -> None:
    """Raise our soft limit as far as the system lets us, for many environments at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

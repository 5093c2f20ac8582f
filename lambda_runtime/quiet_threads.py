"""Threads that no signal reaches.

Python runs signal handlers in the main thread. The kernel may wake any thread for a signal; when it
is another one, the main thread sleeps on in its system call, and the signal is as good as lost.
"""

from __future__ import annotations

try:
    import _signal as signals  # type: ignore[import-not-found]  # `signal` would load `enum`
except ImportError:
    import signal as signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def start_quietly(start: Callable[[], object]) -> None:
    """Call `start`: the threads that it starts, and theirs, are never woken for a signal."""
    mask = signals.pthread_sigmask(signals.SIG_BLOCK, signals.valid_signals())
    try:
        start()
    finally:
        signals.pthread_sigmask(signals.SIG_SETMASK, mask)

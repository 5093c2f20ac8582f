"""The watchdog itself, run as a script: reads `+PGID` and `-PGID` lines, kills what is left at EOF.

It starts beside the user's cold start, so it imports next to nothing (`signal` would cost as much
as the interpreter's own start; `_signal` is what it wraps).
"""

import _signal  # type: ignore[import-not-found]  # typeshed knows only its wrapper
import os


def main() -> None:
    """Stay until the pipe on standard input ends, whatever signals arrive meanwhile."""
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        _signal.signal(number, _signal.SIG_IGN)
    groups: set[int] = set()
    with open(0, "rb") as lines:
        for line in lines:
            change = groups.add if line[:1] == b"+" else groups.discard
            change(int(line[1:]))
    for group in groups:
        try:  # noqa: SIM105  contextlib is a costly import here
            os.killpg(group, _signal.SIGKILL)
        except OSError:
            pass  # gone already


if __name__ == "__main__":
    main()

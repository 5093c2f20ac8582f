"""An environment whose processes are played: orders to processes are noted, not carried out."""

from __future__ import annotations

from typing import Any

from rapid_mock.host.driver import OUTPUT_CATEGORIES, EnvironmentDriver
from rapid_mock.lifecycle.effects import Signal, Spawn
from rapid_mock.lifecycle.events import Event, ProcessExited


class PlayedDriver(EnvironmentDriver):
    """Drives an environment without processes; whoever plays them says what they do.

    `playing` are the processes that run, by name; `signals` what they were sent. A process that is
    signalled ends at once, unless it is killed with less than SIGKILL and is in `ignores_sigterm`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.playing: dict[str, int] = {}
        self.signals: list[tuple[str, str]] = []
        self.ignores_sigterm: set[str] = set()
        self.handled = 0

    def dispatch(self, event: Event | None) -> None:
        """As any driver; counts what has been dealt with in `handled`."""
        super().dispatch(event)
        self.handled += 1

    def exit(self, name: str, code: int | None, signal_name: str | None = None) -> None:
        """A process ends. Raises KeyError when none of this name runs."""
        self.dispatch(ProcessExited(self.playing.pop(name), code, signal_name))

    def print(self, name: str, data: bytes) -> None:
        """A process writes. Raises KeyError when none of this name runs."""
        self._output(self.playing[name], data)

    def _spawn(self, effect: Spawn) -> None:
        self._categories[effect.process] = OUTPUT_CATEGORIES[effect.kind]
        self.playing[effect.name] = effect.process

    def _signal(self, effect: Signal) -> None:
        name = next((n for n, process in self.playing.items() if process == effect.process), None)
        if name is None:
            return
        self.signals.append((name, effect.signal))
        is_killed = effect.signal == "SIGKILL"
        if is_killed or name not in self.ignores_sigterm:
            process = self.playing.pop(name)
            word = "killed" if is_killed else "terminated"
            self._todo.append(ProcessExited(process, None, word))

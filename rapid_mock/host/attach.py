"""An environment whose runtime its developer starts, for example under a debugger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapid_mock.host.driver import EnvironmentDriver
from rapid_mock.host.isolation import FROM_HOST
from rapid_mock.lifecycle.effects import Accepted, ProcessKind, Reply, Signal, Spawn
from rapid_mock.lifecycle.events import (
    Event,
    InitRequested,
    ProcessExited,
    RuntimeInitFailed,
    RuntimeNext,
    RuntimeRestoreNext,
    ShutdownRequested,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapid_mock.host.clock import Cancellable
    from rapid_mock.host.launch import Launch

PATIENCE_SECONDS = 2.0
"""How long a shutdown waits for a runtime that has answered; without timeouts nothing else ends it.
"""
OF_THIS_MACHINE = frozenset({"PATH", *FROM_HOST})


def variables_to_set(launch: Launch) -> dict[str, str]:
    """What a runtime needs to be told, without what its machine tells it anyway."""
    return {name: value for name, value in launch.env.items() if name not in OF_THIS_MACHINE}


class AttachedDriver(EnvironmentDriver):
    """Drives an environment without a runtime of its own: one comes when it is started.

    `on_wanted` is told how, whenever there is none. A runtime that asks before its turn waits for
    it. One that goes away is not missed: the next one gets the work that it left undone. One that
    outlives a reset of the environment serves on.
    """

    def __init__(self, *args: Any, on_wanted: Callable[[Launch], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._on_wanted = on_wanted
        self._runtime: int | None = None
        self._poll: RuntimeNext | RuntimeRestoreNext | None = None
        self._init_error = 0
        self._patience: Cancellable | None = None

    def dispatch(self, event: Event | None) -> None:
        if isinstance(event, RuntimeNext | RuntimeRestoreNext):
            self._poll = event
            if self._runtime is None:  # it is told when the runtime's turn has come
                event = InitRequested()
        elif isinstance(event, RuntimeInitFailed):
            self._init_error = event.exchange
        elif isinstance(event, ShutdownRequested) and self._patience is None:
            until = self._clock.now().monotonic + PATIENCE_SECONDS
            self._patience = self._clock.call_at(until, self._patience_ended)
        super().dispatch(event)

    async def close(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        await super().close()

    def _patience_ended(self) -> None:
        if self._runtime is not None:
            self.dispatch(ProcessExited(self._runtime, signal="terminated"))

    def _spawn(self, effect: Spawn) -> None:
        if effect.kind is not ProcessKind.RUNTIME:
            super()._spawn(effect)
            return
        self._runtime = effect.process
        if self._poll is not None and self.is_open(self._poll.exchange):
            self._todo.append(self._poll)
        else:
            self._on_wanted(self._launch(effect))

    def _signal(self, effect: Signal) -> None:
        if effect.process == self._runtime:
            self._end_runtime(signal="terminated")
        else:
            super()._signal(effect)

    def _reply(self, effect: Reply) -> None:
        super()._reply(effect)
        if effect.exchange == self._init_error and isinstance(effect.message, Accepted):
            self._end_runtime(code=1)

    def _end_runtime(self, code: int | None = None, signal: str | None = None) -> None:
        """Tell the end of a process that is none of ours; a poll of it that is open stays so."""
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            self._todo.append(ProcessExited(runtime, code, signal))

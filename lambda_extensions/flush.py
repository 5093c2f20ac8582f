"""FlushPolicy: when collected records go to their handler. Decisions only; no clock, no thread."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class FlushPolicy:
    """When to deliver; made by the class methods below.

    `seconds`, `items`, `bytes`: deliver when the oldest record has waited that long, or when that
    much has come together (None: never for that reason). `max_wait`: seconds for which an
    invocation may be held so that its own records are delivered at its end (0: not held).
    `first`, `idle`: hold only the first so many invocations, and those that come after so many
    seconds of rest (None: hold all). Whatever the policy: half a full backlog is delivered, and
    everything at shutdown. Raises ValueError for a negative number, and for no items or bytes.
    """

    __slots__ = ("bytes", "first", "idle", "items", "max_wait", "seconds")

    def __init__(
        self,
        *,
        seconds: float | None = None,
        items: int | None = None,
        bytes: int | None = None,  # noqa: A002  the unit is the name
        max_wait: float = 0.0,
        first: int | None = None,
        idle: float | None = None,
    ) -> None:
        for name, value in (("seconds", seconds), ("max_wait", max_wait), ("idle", idle)):
            _check(name, value, 0)
        for name, value in (("items", items), ("bytes", bytes)):
            _check(name, value, 1)
        self.seconds = seconds
        self.items = items
        self.bytes = bytes
        self.max_wait = max_wait
        self.first = first
        self.idle = idle

    @classmethod
    def end_of_invoke(cls, max_wait: float = 1.0) -> Self:
        """Hold each invocation until its records are delivered, at most `max_wait` seconds.

        The function's own run time counts. The records of one that runs longer are delivered when
        it is done, unless the environment is frozen first: then with the next invocation.
        """
        return cls(max_wait=max_wait)

    @classmethod
    def every(
        cls,
        seconds: float = 10.0,
        items: int | None = None,
        bytes: int | None = None,  # noqa: A002  the unit is the name
    ) -> Self:
        """Deliver in the background at these limits; invocations are not held."""
        return cls(seconds=seconds, items=items, bytes=bytes)

    @classmethod
    def on_shutdown(cls) -> Self:
        """Deliver at shutdown: the cheapest, and late."""
        return cls()

    @classmethod
    def adaptive(
        cls, max_wait: float = 1.0, *, first: int = 3, idle: float = 10.0, seconds: float = 10.0
    ) -> Self:
        """Hold the first invocations and those after `idle` seconds of rest, as `end_of_invoke`
        does; in busy times deliver every `seconds`.
        """
        return cls(max_wait=max_wait, first=first, idle=idle, seconds=seconds)

    @classmethod
    def continuous(cls) -> Self:
        """Deliver in the background as records come."""
        return cls(items=1)

    @property
    def may_hold(self) -> bool:
        """Whether INVOKE events are needed."""
        return self.max_wait > 0

    def without_invoke(self) -> FlushPolicy:
        """The same where no INVOKE comes (managed instances): what was held goes every second."""
        if not self.may_hold:
            return self
        seconds = min(1.0, self.seconds or 1.0)
        return FlushPolicy(seconds=seconds, items=self.items, bytes=self.bytes)

    def hold(self, invocation: int, rest: float) -> float:
        """Seconds for which to hold an invocation, the `invocation`-th, after that much rest."""
        is_chosen = (
            (self.first is None and self.idle is None)
            or (self.first is not None and invocation <= self.first)
            or (self.idle is not None and rest >= self.idle)
        )
        return self.max_wait if is_chosen else 0.0

    def due_in(self, items: int, size: int, age: float, capacity: int) -> float | None:
        """Seconds until that backlog is to be delivered; 0 for now, None for not by itself.

        `size` in bytes, as is `capacity`; `age`: seconds that the oldest record has waited.
        """
        if not items:
            return None
        if self.items is not None and items >= self.items:
            return 0.0
        if size >= (capacity // 2 if self.bytes is None else min(self.bytes, capacity // 2)):
            return 0.0
        return None if self.seconds is None else max(0.0, self.seconds - age)


def _check(name: str, value: float | None, smallest: int) -> None:
    if value is not None and value < smallest:
        raise ValueError(f"{name} must be at least {smallest}, not {value}")

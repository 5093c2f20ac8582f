"""Which invocations a worker has at hand, for the day that it dies: its parent answers for them.

The record is memory shared by inheritance, without a name: it needs no /dev/shm, which Lambda does
not have, outlives a SIGKILL, and costs a worker no system call.
"""

from __future__ import annotations

import mmap

from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_runtime.client import Invocation

SLOT_BYTES = 512
_LENGTH_BYTES = 2


class InFlight:
    """A slot for each invocation that may be at work; made before the workers are forked."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * SLOT_BYTES)

    def hold(self, slot: int, invocation: Invocation) -> None:
        """Note that `invocation` is at work; one with an id beyond all measure is left out."""
        invocation_id = invocation.header(contract.HEADER_INVOCATION_ID) or ""
        text = f"{invocation.request_id}\n{invocation_id}".encode("utf-8", "surrogateescape")
        if len(text) > SLOT_BYTES - _LENGTH_BYTES:
            return
        start = slot * SLOT_BYTES
        self._memory[start + _LENGTH_BYTES : start + _LENGTH_BYTES + len(text)] = text
        self._memory[start : start + _LENGTH_BYTES] = len(text).to_bytes(_LENGTH_BYTES, "big")

    def free(self, slot: int) -> None:
        """Note that it has been answered."""
        start = slot * SLOT_BYTES
        self._memory[start : start + _LENGTH_BYTES] = bytes(_LENGTH_BYTES)

    def take(self, slots: Iterable[int]) -> list[tuple[str, str]]:
        """The request ids and invocation ids in these slots, which are free afterwards."""
        found = []
        for slot in slots:
            start = slot * SLOT_BYTES + _LENGTH_BYTES
            length = int.from_bytes(self._memory[start - _LENGTH_BYTES : start], "big")
            if length:
                text = self._memory[start : start + length].decode("utf-8", "surrogateescape")
                request_id, _, invocation_id = text.partition("\n")
                found.append((request_id, invocation_id))
                self.free(slot)
        return found

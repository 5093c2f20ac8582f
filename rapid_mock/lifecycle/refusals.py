"""Refusals as effects, with the texts of AWS's Runtime Interface Emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapid_mock.lifecycle.effects import Refused, Reply

if TYPE_CHECKING:
    from rapid_mock.lifecycle.state import State


def refuse(state: State, exchange: int, status: int, error_type: str, message: str) -> None:
    state.effects.append(Reply(exchange, Refused(status, error_type, message)))


def transition_text(state: State, origin: str, target: str, whom: str) -> str:
    reason = state.settings.mode.not_allowed
    return f"State transition from {origin} to {target} failed for {whom}. Error: {reason}"

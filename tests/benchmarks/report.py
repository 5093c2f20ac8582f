"""Rounds, medians, ratios of the same round, and the table that a member prints."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Sample = dict[str, float]
"""One measurement of one subject: column name to value."""

Samples = dict[str, list[Sample]]
"""Subject to its samples, one a round."""


@dataclass(frozen=True)
class Options:
    """What the command line asks of every member; `rounds=None` leaves the number to the member."""

    smoke: bool = False
    rounds: int | None = None
    cores: str = "one"

    def round_count(self, usual: int) -> int:
        return self.rounds or (1 if self.smoke else usual)


@dataclass(frozen=True)
class Target:
    """A ratio and its limit, as the member promises it."""

    text: str
    ratio: float
    limit: float
    at_most: bool = True

    @property
    def is_met(self) -> bool:
        return self.ratio <= self.limit if self.at_most else self.ratio >= self.limit

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "met" if self.is_met else "MISSED"
        return f"target {self.text}: {self.ratio:.3f} {sign} {self.limit:g}: {verdict}"


class LeftOut(Exception):
    """A member cannot run on this machine; the message is the reason."""


def interleave(subjects: Mapping[str, Callable[[], Sample]], rounds: int) -> Samples:
    """Measure A B A B …, so that a drift of the machine meets every subject alike."""
    samples: Samples = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            samples[name].append(measure())
    return samples


def median(samples: Samples, subject: str, column: str) -> float:
    return statistics.median(sample[column] for sample in samples[subject])


def ratio(samples: Samples, subject: str, base: str, column: str) -> float:
    """The median over the rounds of subject / base within one round."""
    pairs = zip(samples[subject], samples[base], strict=True)
    return statistics.median(ours[column] / theirs[column] for ours, theirs in pairs)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell; floats with three significant places."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    print(f"\n{title}")
    for row in cells:
        first = row[0].ljust(widths[0])
        rest = (text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        print("  ".join(["", first, *rest]))


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"

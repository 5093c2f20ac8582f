"""Schedules of EventBridge rules: `rate(5 minutes)` and `cron(0 18 ? * MON-FRI *)`, in UTC.

Source: "Setting a schedule pattern for scheduled rules", EventBridge User Guide; what it leaves
open (`LW`, `L-3`, ranges that wrap, no jump of `W` into another month) is as in Quartz, whose
language it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn, Protocol

from rapid_mock.errors import InvalidSchedule
from rapid_mock.service.civil_dates import day_number, days_in_month, weekday, year_and_month

_MINUTES_A_DAY = 1440
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


class Schedule(Protocol):
    """When a rule fires."""

    def next_after(self, moment: float) -> int | None:
        """The first instant later than `moment`, both in epoch seconds; None when there is none."""


def parse_schedule(text: str, created: int) -> Schedule:
    """The schedule of a rule that was created at `created`, epoch seconds.

    Raises InvalidSchedule for what is neither a rate nor a cron expression.
    """
    match = re.fullmatch(r"(rate|cron)\((.*)\)", text.strip())
    if match is None:
        _refuse(f"{text} is neither rate(...) nor cron(...)")
    words = match[2].split()
    return _Rate(words, created) if match[1] == "rate" else _Cron(words)


def _refuse(reason: str) -> NoReturn:
    raise InvalidSchedule(reason)


class _Rate:
    """Every so many seconds from the rule's creation."""

    def __init__(self, words: Sequence[str], created: int) -> None:
        if len(words) != 2 or not words[0].isdecimal() or int(words[0]) == 0:
            _refuse("a rate is a positive whole number and a unit")
        count, unit = int(words[0]), words[1]
        singular = unit if count == 1 else unit.removesuffix("s")
        if singular not in _SECONDS or (count > 1 and singular == unit):
            _refuse("a rate's unit is minute, hour or day, with an s above 1")
        self._period = count * _SECONDS[singular]
        self._created = created

    def next_after(self, moment: float) -> int:
        elapsed = max(0, int((moment - self._created) // self._period))
        return self._created + (elapsed + 1) * self._period


class _Field(NamedTuple):
    """One of cron's fields: its least and greatest value, and the names of its values."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MINUTE = _Field("minutes", 0, 59)
_HOUR = _Field("hours", 0, 23)
_DAY = _Field("day-of-month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day-of-week", 1, 7, _WEEKDAYS)
_YEAR = _Field("year", 1970, 2199)

_Days = Callable[[int, int], list[int]]
"""The numbers of the days of a year's month that a field selects, in order."""


class _Cron:
    """Minutes, hours, day of month, month, day of week, year; one of the two days is `?`."""

    def __init__(self, words: Sequence[str]) -> None:
        if len(words) != 6:
            _refuse("a cron expression has six fields")
        minutes, hours, day, month, week, years = (word.upper() for word in words)
        if (day == "?") == (week == "?"):
            _refuse("exactly one of day-of-month and day-of-week is ?")
        self._times = sorted(
            60 * hour + minute
            for hour in _values(_HOUR, hours)
            for minute in _values(_MINUTE, minutes)
        )
        self._days = _days_of_month(day) if week == "?" else _days_of_week(week)
        self._months = sorted(_values(_MONTH, month))
        self._years = sorted(_values(_YEAR, years))

    def next_after(self, moment: float) -> int | None:
        first_day, first_minute = divmod(int(moment // 60) + 1, _MINUTES_A_DAY)
        first_year, _ = year_and_month(first_day)
        later_today = bisect_left(self._times, first_minute)
        for year in self._years[bisect_left(self._years, first_year) :]:
            for month in self._months:
                for day in self._days(year, month):
                    if day > first_day:
                        return 60 * (day * _MINUTES_A_DAY + self._times[0])
                    if day == first_day and later_today < len(self._times):
                        return 60 * (day * _MINUTES_A_DAY + self._times[later_today])
        return None


# --- Fields -----------------------------------------------------------------------------------


def _values(field: _Field, text: str) -> frozenset[int]:
    """What a list of values, ranges and steps selects."""
    return frozenset(value for part in text.split(",") for value in _part(field, part))


def _part(field: _Field, text: str) -> list[int]:
    """`*`, `n`, `n-m`, each also with `/step`; `n/step` goes on to the greatest value."""
    base, slash, step = text.partition("/")
    if slash and not (step.isdecimal() and 1 <= int(step) <= field.high):
        _refuse(f"{field.name}: {text} has no valid step")
    first, dash, last = base.partition("-")
    if base == "*":
        values = list(range(field.low, field.high + 1))
    elif dash:
        values = _range(field, _value(field, first), _value(field, last))
    else:
        only = _value(field, base)
        values = list(range(only, field.high + 1)) if slash else [only]
    return values[:: int(step) if slash else 1]


def _range(field: _Field, first: int, last: int) -> list[int]:
    """From first to last; a range that ends before it begins wraps, but for years."""
    if first <= last:
        return list(range(first, last + 1))
    if field is _YEAR:
        _refuse(f"year: {first}-{last} ends before it begins")
    return [*range(first, field.high + 1), *range(field.low, last + 1)]


def _value(field: _Field, text: str) -> int:
    if text in field.names:
        return field.names.index(text) + field.low
    if not (text.isascii() and text.isdecimal() and field.low <= int(text) <= field.high):
        _refuse(f"{field.name}: {text} is not between {field.low} and {field.high}")
    return int(text)


def _days_of_month(text: str) -> _Days:
    """`L` (last), `L-3`, `LW` (last weekday), `15W` (weekday next to it), or a list of days."""
    if match := re.fullmatch("L(?:-([0-9]+))?", text):
        before = int(match[1] or 0)
        return lambda year, month: _existing(year, month, [days_in_month(year, month) - before])
    if text == "LW":
        return lambda year, month: _nearest_weekday(year, month, days_in_month(year, month))
    if text.endswith("W"):
        near = _value(_DAY, text.removesuffix("W"))
        return lambda year, month: _nearest_weekday(year, month, near)
    days = sorted(_values(_DAY, text))
    return lambda year, month: _existing(year, month, days)


def _existing(year: int, month: int, days: Sequence[int]) -> list[int]:
    """The days that the month has."""
    length = days_in_month(year, month)
    return [day_number(year, month, day) for day in days if 1 <= day <= length]


def _nearest_weekday(year: int, month: int, day: int) -> list[int]:
    """Monday to Friday, nearest to a day and in its month."""
    length = days_in_month(year, month)
    if day > length:
        return []
    number = day_number(year, month, day)
    if weekday(number) == 7:
        return [number + 2 if day == 1 else number - 1]
    if weekday(number) == 1:
        return [number - 2 if day == length else number + 1]
    return [number]


def _days_of_week(text: str) -> _Days:
    """`6L` (last Friday), `6#3` (third Friday), `L` (Saturday), or a list of days."""
    if text.endswith("L") and text != "L":
        last = _value(_WEEKDAY, text.removesuffix("L"))
        return lambda year, month: _on_weekdays(year, month, {last})[-1:]
    day, number_sign, place = text.partition("#")
    if number_sign:
        if place not in ("1", "2", "3", "4", "5"):
            _refuse(f"day-of-week: {text} names no week of a month")
        wanted, index = _value(_WEEKDAY, day), int(place)
        return lambda year, month: _on_weekdays(year, month, {wanted})[index - 1 : index]
    wanted_days = {7} if text == "L" else _values(_WEEKDAY, text)
    return lambda year, month: _on_weekdays(year, month, wanted_days)


def _on_weekdays(year: int, month: int, wanted: frozenset[int] | set[int]) -> list[int]:
    first = day_number(year, month, 1)
    days = range(first, first + days_in_month(year, month))
    return [number for number in days if weekday(number) in wanted]

"""Days of the Gregorian calendar as numbers: 0 is 1970-01-01. No clock, no time zone."""

from __future__ import annotations

_DAYS_IN_400_YEARS = 146_097
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_in_month(year: int, month: int) -> int:
    """28 to 31; months count from 1."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _LENGTHS[month - 1] + (month == 2 and is_leap)


def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01.

    Years are counted from March, so that the leap day comes last and every month's beginning is a
    linear function (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    """
    since_march = (month - 3) % 12
    year -= month < 3
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * since_march + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _DAYS_IN_400_YEARS + day_of_era - 719_468


def year_and_month(number: int) -> tuple[int, int]:
    """The year and month that a day is in."""
    era, day_of_era = divmod(number + 719_468, _DAYS_IN_400_YEARS)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153 + 3
    return era * 400 + year_of_era + (month > 12), (month - 1) % 12 + 1


def weekday(number: int) -> int:
    """1 (Sunday) to 7 (Saturday), as cron counts."""
    return (number + 4) % 7 + 1


def utc_stamp(moment: float, precision: str = "milliseconds") -> str:
    """Epoch seconds as `2026-01-31T12:00:00.000Z`; `precision` is `milliseconds` or `seconds`."""
    seconds, milliseconds = divmod(round(moment * 1000), 1000)
    number, rest = divmod(seconds, 86_400)
    year, month = year_and_month(number)
    day = number - day_number(year, month, 1) + 1
    hours, minutes = divmod(rest // 60, 60)
    fraction = f".{milliseconds:03}" if precision == "milliseconds" else ""
    return f"{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{rest % 60:02}{fraction}Z"

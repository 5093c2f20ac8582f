"""Schedules of EventBridge rules: documented examples, edge cases, and a brute-force referee."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.errors import InvalidSchedule
from rapid_mock.service.civil_dates import (
    day_number,
    days_in_month,
    utc_stamp,
    weekday,
    year_and_month,
)
from rapid_mock.service.schedule import Schedule, parse_schedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


def text_of(moment: int | None) -> str | None:
    if moment is None:
        return None
    return f"{EPOCH + timedelta(seconds=moment):%Y-%m-%d %H:%M:%S}"


def firings(schedule: Schedule, after: str, count: int) -> list[str | None]:
    """The next `count` instants; the day alone where the time is midnight."""
    moment, found = seconds(after), []
    for _ in range(count):
        following = schedule.next_after(moment)
        found.append(text_of(following))
        if following is None:
            break
        moment = following
    return [one and one.removesuffix(" 00:00:00").removesuffix(":00") for one in found]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 10 * * ? *", "2026-01-01", ["2026-01-01 10:00", "2026-01-02 10:00"]),
        ("15 12 * * ? *", "2026-01-01", ["2026-01-01 12:15", "2026-01-02 12:15"]),
        ("0 18 ? * MON-FRI *", "2026-01-02", ["2026-01-02 18:00", "2026-01-05 18:00"]),
        ("0 8 1 * ? *", "2026-01-01 08:00", ["2026-02-01 08:00", "2026-03-01 08:00"]),
        ("0/15 * * * ? *", "2026-01-01", ["2026-01-01 00:15", "2026-01-01 00:30"]),
        ("0/10 * ? * MON-FRI *", "2026-01-02 23:50", ["2026-01-05", "2026-01-05 00:10"]),
        (
            "0/5 8-17 ? * MON-FRI *",
            "2026-01-02 17:50",
            ["2026-01-02 17:55", "2026-01-05 08:00"],
        ),
        ("15 10 ? * 6L 2022-2023", "2022-11-01", ["2022-11-25 10:15", "2022-12-30 10:15"]),
    ],
)
def test_documented_examples(expression: str, after: str, expected: list[str]) -> None:
    """The examples of the EventBridge guide fire when the guide says."""
    assert firings(parse_schedule(f"cron({expression})", 0), after, 2) == expected


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # The last day of months of every length, a leap year's February among them.
        ("0 0 L * ? *", "2024-01-31", ["2024-02-29", "2024-03-31", "2024-04-30"]),
        ("0 0 L 2 ? *", "2023-01-01", ["2023-02-28", "2024-02-29", "2025-02-28"]),
        ("0 0 L-2 * ? *", "2024-02-01", ["2024-02-27", "2024-03-29"]),
        ("0 0 L-30 * ? *", "2024-02-01", ["2024-03-01", "2024-05-01"]),
        ("0 0 L-31 * ? *", "2024-02-01", [None]),
        # Months that lack the day are left out.
        ("0 0 31 * ? *", "2026-01-31", ["2026-03-31", "2026-05-31", "2026-07-31"]),
        ("0 0 29 2 ? *", "2026-01-01", ["2028-02-29", "2032-02-29"]),
        ("0 0 29 2 ? *", "2096-02-29", ["2104-02-29"]),
        ("0 0 30,31 2-4 ? *", "2026-01-01", ["2026-03-30", "2026-03-31", "2026-04-30"]),
        ("0 0 30 2 ? *", "2026-01-01", [None]),
        # The weekday nearest to a day: Friday before a Saturday, Monday after a Sunday ...
        ("0 0 15W * ? *", "2026-02-01", ["2026-02-16", "2026-03-16", "2026-04-15"]),
        ("0 0 14W 2 ? *", "2026-02-01", ["2026-02-13"]),
        # ... but never in another month.
        ("0 0 1W 8 ? *", "2026-01-01", ["2026-08-03"]),
        ("0 0 31W 5 ? *", "2026-01-01", ["2026-05-29"]),
        ("0 0 31W 4 ? *", "2026-01-01", [None]),
        ("0 0 LW * ? *", "2026-01-01", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        # Days of the week: 1 is Sunday; L alone is Saturday; with a number, the month's last.
        ("0 0 ? * 1 *", "2026-01-01", ["2026-01-04", "2026-01-11"]),
        ("0 0 ? * L *", "2026-01-01", ["2026-01-03", "2026-01-10"]),
        ("0 0 ? * FRIL *", "2026-01-01", ["2026-01-30", "2026-02-27"]),
        ("0 0 ? * 3#2 *", "2026-01-01", ["2026-01-13", "2026-02-10"]),
        ("0 0 ? * TUE#2 *", "2026-01-01", ["2026-01-13"]),
        ("0 0 ? * 5#5 *", "2026-01-01", ["2026-01-29", "2026-04-30"]),
        ("0 0 ? * SAT-SUN *", "2026-01-01", ["2026-01-03", "2026-01-04", "2026-01-10"]),
        ("0 0 ? * 2/2 *", "2026-01-01", ["2026-01-02", "2026-01-05", "2026-01-07"]),
        # Names in any case, lists, ranges with steps, a start with a step.
        ("0 0 1 jan,Jul ? *", "2026-01-01", ["2026-07-01", "2027-01-01"]),
        ("0 0 1 */3 ? *", "2026-01-01", ["2026-04-01", "2026-07-01", "2026-10-01"]),
        ("0 0 1 5/4 ? *", "2026-01-01", ["2026-05-01", "2026-09-01", "2027-05-01"]),
        ("10-30/10 3,1 1 1 ? *", "2026-01-01", ["2026-01-01 01:10", "2026-01-01 01:20"]),
        ("59 22-1 1 1 ? *", "2026-01-01", ["2026-01-01 00:59", "2026-01-01 01:59"]),
        # Ends of years, and of the calendar.
        ("59 23 31 12 ? *", "2026-12-31 23:59", ["2027-12-31 23:59"]),
        ("0 0 1 1 ? 2020", "2026-01-01", [None]),
        ("0 0 1 1 ? 2030/50", "2026-01-01", ["2030-01-01", "2080-01-01", "2130-01-01"]),
        ("0 0 31 12 ? *", "2199-12-31", [None]),
        # Strictly after: an instant itself does not count, a second before it does.
        ("0 0 1 1 ? *", "2026-01-01 00:00:00", ["2027-01-01"]),
        ("0 0 1 1 ? *", "2025-12-31 23:59:59", ["2026-01-01"]),
        ("* * * * ? *", "2026-01-01 00:00:59", ["2026-01-01 00:01", "2026-01-01 00:02"]),
    ],
)
def test_edges_of_cron(expression: str, after: str, expected: list[str | None]) -> None:
    """L, W, #, steps, names, wrapping ranges, leap years and short months fire as in Quartz."""
    schedule = parse_schedule(f"cron({expression})", 0)
    assert firings(schedule, after, len(expected)) == expected


def test_fraction_of_a_second() -> None:
    """A moment within a minute is before the next minute."""
    schedule = parse_schedule("cron(* * * * ? *)", 0)
    assert schedule.next_after(59.999) == 60
    assert schedule.next_after(60.0) == 120


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", 3600),
        ("rate(12 hours)", 43_200),
        ("rate(1 day)", 86_400),
        ("rate(7 days)", 604_800),
    ],
)
def test_rates(expression: str, period: int) -> None:
    """A rate fires each period from the rule's creation on, the creation itself left out."""
    schedule = parse_schedule(expression, 1000)
    assert schedule.next_after(0) == 1000 + period
    assert schedule.next_after(1000) == 1000 + period
    assert schedule.next_after(1000 + period - 0.5) == 1000 + period
    assert schedule.next_after(1000 + period) == 1000 + 2 * period


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", " is neither rate(...) nor cron(...)"),
        ("at(2026-01-01T00:00:00)", "at(2026-01-01T00:00:00) is neither rate(...) nor cron(...)"),
        ("rate(5)", "a rate is a positive whole number and a unit"),
        ("rate(0 minutes)", "a rate is a positive whole number and a unit"),
        ("rate(-5 minutes)", "a rate is a positive whole number and a unit"),
        ("rate(1.5 hours)", "a rate is a positive whole number and a unit"),
        ("rate(1 minutes)", "a rate's unit is minute, hour or day, with an s above 1"),
        ("rate(5 minute)", "a rate's unit is minute, hour or day, with an s above 1"),
        ("rate(5 weeks)", "a rate's unit is minute, hour or day, with an s above 1"),
        ("cron(0 10 * * ?)", "a cron expression has six fields"),
        ("cron(0 10 * * ? * *)", "a cron expression has six fields"),
        ("cron(0 10 * * * *)", "exactly one of day-of-month and day-of-week is ?"),
        ("cron(0 10 ? * ? *)", "exactly one of day-of-month and day-of-week is ?"),
        ("cron(0 10 1 * MON *)", "exactly one of day-of-month and day-of-week is ?"),
        ("cron(60 10 * * ? *)", "minutes: 60 is not between 0 and 59"),
        ("cron(0 24 * * ? *)", "hours: 24 is not between 0 and 23"),
        ("cron(0 10 32 * ? *)", "day-of-month: 32 is not between 1 and 31"),
        ("cron(0 10 0 * ? *)", "day-of-month: 0 is not between 1 and 31"),
        ("cron(0 10 * 13 ? *)", "month: 13 is not between 1 and 12"),
        ("cron(0 10 * MAI ? *)", "month: MAI is not between 1 and 12"),
        ("cron(0 10 ? * 0 *)", "day-of-week: 0 is not between 1 and 7"),
        ("cron(0 10 ? * 8L *)", "day-of-week: 8 is not between 1 and 7"),
        ("cron(0 10 ? * 3#6 *)", "day-of-week: 3#6 names no week of a month"),
        ("cron(0 10 ? * 3#1,6#3 *)", "day-of-week: 3#1,6#3 names no week of a month"),
        ("cron(0 10 * * ? 1969)", "year: 1969 is not between 1970 and 2199"),
        ("cron(0 10 * * ? 2030-2029)", "year: 2030-2029 ends before it begins"),
        ("cron(0/0 10 * * ? *)", "minutes: 0/0 has no valid step"),
        ("cron(0/60 10 * * ? *)", "minutes: 0/60 has no valid step"),
        ("cron(0/x 10 * * ? *)", "minutes: 0/X has no valid step"),
        ("cron(1, 10 * * ? *)", "minutes:  is not between 0 and 59"),
        ("cron(? 10 * * ? *)", "minutes: ? is not between 0 and 59"),
        ("cron(0 L * * ? *)", "hours: L is not between 0 and 23"),
    ],
)
def test_refusals(expression: str, reason: str) -> None:
    """What is no schedule is refused with AWS's sentence, and says to us what is wrong."""
    with pytest.raises(InvalidSchedule) as refusal:
        parse_schedule(expression, 0)
    assert str(refusal.value) == "Parameter ScheduleExpression is not valid."
    assert refusal.value.type_name == "ValidationException"
    assert refusal.value.members() == {"message": "Parameter ScheduleExpression is not valid."}
    assert refusal.value.reason == reason


def test_simulated_week() -> None:
    """Three rules over one week of a simulated clock fire on the documented instants, in order."""
    monday, end = seconds("2026-03-02"), seconds("2026-03-09")
    rules = {
        "nightly": parse_schedule("cron(30 2 * * ? *)", monday),
        "weekdays": parse_schedule("cron(0 9,17 ? * MON-FRI *)", monday),
        "rate": parse_schedule("rate(2 days)", monday + 3600),
    }
    clock, log = monday, []
    while True:
        due = [(rules[name].next_after(clock) or end, name) for name in rules]
        clock = min(due)[0]
        if clock >= end:
            break
        log += [(text_of(clock), name) for moment, name in sorted(due) if moment == clock]
    nights = [(f"2026-03-0{day} 02:30:00", "nightly") for day in range(2, 9)]
    shifts = [
        (f"2026-03-0{day} {hour}:00:00", "weekdays") for day in range(2, 7) for hour in ("09", "17")
    ]
    rates = [(f"2026-03-0{day} 01:00:00", "rate") for day in (4, 6, 8)]
    assert log == sorted(nights + shifts + rates)


# --- The referee ------------------------------------------------------------------------------

MINUTES = st.sampled_from(["0", "*", "0/7", "5,50", "10-12", "*/20"])
HOURS = st.sampled_from(["0", "*", "8-17", "22-2", "6/6", "23"])
MONTHS = st.sampled_from(["*", "2", "JAN-MAR", "*/5", "11-2", "4,6"])
DAYS = st.one_of(
    st.sampled_from(["*", "1", "31", "29-31", "*/10", "L", "LW", "L-3", "1W", "15W", "30W"]).map(
        lambda day: (day, "?")
    ),
    st.sampled_from(["1", "MON-FRI", "SAT-SUN", "L", "6L", "3#2", "5#5", "2/3"]).map(
        lambda day: ("?", day)
    ),
)
MOMENTS = st.datetimes(datetime(2019, 1, 1), datetime(2032, 1, 1))  # noqa: DTZ001  made UTC below

DayRule = Callable[[datetime, int], bool]

DAY_RULES: dict[str, DayRule] = {
    "*": lambda _day, _last: True,
    "1": lambda day, _last: day.day == 1,
    "31": lambda day, _last: day.day == 31,
    "29-31": lambda day, _last: day.day >= 29,
    "*/10": lambda day, _last: day.day in (1, 11, 21, 31),
    "L": lambda day, last: day.day == last,
    "L-3": lambda day, last: day.day == last - 3,
}
WEEK_RULES: dict[str, DayRule] = {
    "1": lambda day, _last: day.weekday() == calendar.SUNDAY,
    "MON-FRI": lambda day, _last: day.weekday() < 5,
    "SAT-SUN": lambda day, _last: day.weekday() >= 5,
    "L": lambda day, _last: day.weekday() == calendar.SATURDAY,
    "6L": lambda day, last: day.weekday() == calendar.FRIDAY and day.day + 7 > last,
    "3#2": lambda day, _last: day.weekday() == calendar.TUESDAY and 8 <= day.day <= 14,
    "5#5": lambda day, _last: day.weekday() == calendar.THURSDAY and day.day >= 29,
    "2/3": lambda day, _last: day.weekday() in (calendar.MONDAY, calendar.THURSDAY),
}
MONTH_RULES = {
    "*": range(1, 13),
    "2": [2],
    "JAN-MAR": [1, 2, 3],
    "*/5": [1, 6, 11],
    "11-2": [11, 12, 1, 2],
    "4,6": [4, 6],
}
HOUR_RULES = {
    "0": [0],
    "*": range(24),
    "8-17": range(8, 18),
    "22-2": [22, 23, 0, 1, 2],
    "6/6": [6, 12, 18],
    "23": [23],
}
MINUTE_RULES = {
    "0": [0],
    "*": range(60),
    "0/7": range(0, 60, 7),
    "5,50": [5, 50],
    "10-12": [10, 11, 12],
    "*/20": [0, 20, 40],
}


def is_nearest_weekday(day: datetime, wanted: int, last: int) -> bool:
    """Whether no weekday of the month is nearer to the wanted day."""
    if wanted > last or day.weekday() >= 5:
        return False
    weekdays = [one for one in range(1, last + 1) if calendar.weekday(day.year, day.month, one) < 5]
    return day.day == min(weekdays, key=lambda one: abs(one - wanted))


def fires_on(day: datetime, days: tuple[str, str], month: str) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if day.month not in MONTH_RULES[month]:
        return False
    if days[0] == "?":
        return bool(WEEK_RULES[days[1]](day, last))
    if days[0] == "LW":
        return is_nearest_weekday(day, last, last)
    if days[0].endswith("W"):
        return is_nearest_weekday(day, int(days[0].removesuffix("W")), last)
    return bool(DAY_RULES[days[0]](day, last))


@settings(deadline=None)
@given(MINUTES, HOURS, DAYS, MONTHS, MOMENTS)
def test_next_instant_is_the_first_that_fits(
    minutes: str, hours: str, days: tuple[str, str], month: str, moment: datetime
) -> None:
    """Walking four years, day by day, over the standard library's calendar finds the same."""
    schedule = parse_schedule(f"cron({minutes} {hours} {days[0]} {month} {days[1]} *)", 0)
    start = moment.replace(tzinfo=UTC)
    times = sorted((hour, minute) for hour in HOUR_RULES[hours] for minute in MINUTE_RULES[minutes])
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    expected = None
    end = day + timedelta(days=1500)
    while expected is None and day < end:
        if fires_on(day, days, month):
            instants = [day.replace(hour=hour, minute=minute) for hour, minute in times]
            expected = next((one for one in instants if one > start), None)
        day += timedelta(days=1)
    found = schedule.next_after(start.timestamp())
    if expected is None:
        assert found is None or found >= end.timestamp()
    else:
        assert text_of(found) == f"{expected:%Y-%m-%d %H:%M:%S}"


@settings(deadline=None)
@given(st.dates())
def test_calendar(day: date) -> None:
    """Day numbers, months, lengths and weekdays are those of the standard library."""
    number = day_number(day.year, day.month, day.day)
    assert number == (day - date(1970, 1, 1)).days
    assert year_and_month(number) == (day.year, day.month)
    assert weekday(number) == day.isoweekday() % 7 + 1
    assert days_in_month(day.year, day.month) == calendar.monthrange(day.year, day.month)[1]


@settings(deadline=None)
@given(st.integers(0, 7_258_118_399_999))
def test_stamps(milliseconds: int) -> None:
    """Moments are written as the standard library writes them, up to the year 2199."""
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    written = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert utc_stamp(milliseconds / 1000) == written
    assert utc_stamp(milliseconds / 1000, "seconds") == f"{written[:-5]}Z"

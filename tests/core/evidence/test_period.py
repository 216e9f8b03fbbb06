"""Which events a period has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from penstock_core.evidence.period import Period, PeriodError, moment


def test_a_day_begins_in_utc_and_a_time_has_its_zone() -> None:
    assert moment("2026-07-01") == datetime(2026, 7, 1, tzinfo=UTC)
    assert moment("2026-07-01T02:00:00+02:00") == datetime(2026, 7, 1, tzinfo=UTC)
    assert moment("2026-07-01T09:30:00Z").isoformat() == "2026-07-01T09:30:00+00:00"


@pytest.mark.parametrize("value", ["", "2026", "2026-13-01", "yesterday", "2026-07-01T09:00:00", "20260701"])
def test_what_is_no_moment(value: str) -> None:
    with pytest.raises(PeriodError, match="is neither a day"):
        moment(value)


def test_it_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    period = Period(moment("2026-07-01"), moment("2026-10-01"))
    times = {
        "2026-06-30T23:59:59.999999Z": False, "2026-07-01T00:00:00.000000Z": True, "2026-09-30T23:59:59.999999Z": True,
        "2026-10-01T00:00:00.000000Z": False, "2026-07-01T01:30:00+02:00": False, "no time": False,
        "2026-08-01T00:00:00": False,
    }  # fmt: skip
    assert {time: period.contains({"time": time}) for time in times} == times
    assert not period.contains({})
    assert not period.contains({"time": 7})


def test_how_people_read_it() -> None:
    assert str(Period(moment("2026-07-01"), moment("2026-10-01"))) == "2026-07-01 to 2026-10-01"
    assert str(Period(moment("2026-07-01T09:30:00Z"), moment("2026-10-01"))) == "2026-07-01T09:30:00Z to 2026-10-01"


def test_it_does_not_end_before_it_begins() -> None:
    for until in ("2026-07-01", "2026-06-30"):
        with pytest.raises(PeriodError, match="which is not after 2026-07-01"):
            Period(moment("2026-07-01"), moment(until))

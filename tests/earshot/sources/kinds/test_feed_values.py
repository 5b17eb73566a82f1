"""Durations, dates and Retry-After as feeds and their servers write them."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.sources.kinds.feeds import duration_s, published_at
from earshot.sources.net.conditional_get import MAX_PAUSE_S, retry_after_s

NEW_YEAR = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:02:03", 3723.0), ("62:03", 3723.0), ("3723", 3723.0), (" 3723 ", 3723.0), ("01:02:03", 3723.0),
        ("PT1H2M3S", 3723.0), ("0", None), ("00:00:00", None), ("", None), (None, None), ("soon", None), ("-5", None),
        ("1e9", None), ("9" * 500, None),
    ],
)  # fmt: skip
def test_duration_is_read(text: str | None, expected: float | None) -> None:
    assert duration_s(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Thu, 01 Jan 2026 12:30:00 GMT", "Thu, 01 Jan 2026 13:30:00 +0100", "1 Jan 2026 12:30:00 +0000", "2026-01-01T12:30:00Z",
        "2026-01-01T14:30:00+02:00", "Thu, 1 Jan 2026 07:30:00 EST", "Thu,  01 Jan 2026 12:30 UT", "2026-01-01 12:30",
        "2026-01-01T12:30:00.000000000Z", "Thu, 01 Jan 26 12:30:00 -0000",
    ],
)  # fmt: skip
def test_date_is_read_in_utc(text: str) -> None:
    assert published_at(text) == NEW_YEAR


@pytest.mark.parametrize(
    "text",
    [
        None, "", "yesterday", "12:30", "Jan 1", "Mon, 01 Jan 0001 00:00:00 +0000", "9" * 40, "--01-12",
        "0001-01-01T00:00:00Z", "2026", "1767270600",
    ],
)  # fmt: skip
def test_invalid_date_is_none(text: str | None) -> None:
    assert published_at(text) is None


@given(st.one_of(st.text(), st.from_regex(r"[0-9:.]{0,20}"), st.from_regex(r"[0-9]+ [a-z]+", fullmatch=True)))
def test_any_duration_is_finite_or_none(text: str) -> None:
    read = duration_s(text)
    assert read is None or 0.0 < read < float("inf")


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{2,5} [0-9:]{0,9} [+-][0-9]{4}")))
def test_any_date_is_in_utc_or_none(text: str) -> None:
    read = published_at(text)
    assert read is None or read.utcoffset() == timedelta(0)


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_date_of_any_time_zone_is_read(moment: datetime, minutes: int) -> None:
    at = moment.replace(microsecond=0, tzinfo=UTC)
    local = at.astimezone(timezone(timedelta(minutes=minutes)))
    assert published_at(format_datetime(local)) == published_at(at.isoformat()) == at


@given(st.text())
def test_any_pause_is_bounded_or_none(text: str) -> None:
    read = retry_after_s(text, NEW_YEAR)
    assert read is None or 0.0 <= read <= MAX_PAUSE_S


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7.0), ("0", 0.0), ("9" * 50, MAX_PAUSE_S), ("Thu, 01 Jan 2026 12:31:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 12:00:00 GMT", 0.0), ("Fri, 01 Jan 2100 00:00:00 GMT", MAX_PAUSE_S), ("", None), ("-5", None),
        ("a while", None), ("Fri, 31 Dec 99999 23:59:59 +99999999999999999999", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_date_and_at_most_a_week(header: str, expected: float | None) -> None:
    assert retry_after_s(header, NEW_YEAR) == expected

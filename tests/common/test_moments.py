"""Moments in addresses: by UTC, or none."""

from datetime import UTC, datetime

import pytest

from marketplace.common.moments import moment_in


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59-00:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_is_told_by_utc(text: str, moment: datetime) -> None:
    found = moment_in(text)
    assert found == moment and found is not None and found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "", "noon", "2026-01-31", "2026-01-31T12:00:00", "2026-13-31T12:00:00Z", "\x00", "9" * 10_000,
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T12:00:00+99:59",
    ],
)  # fmt: skip
def test_what_names_no_moment_that_utc_has_is_none(text: str) -> None:
    assert moment_in(text) is None

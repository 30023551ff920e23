"""Moments as an address writes them."""

from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware


def moment_in(text: str) -> datetime | None:
    """The moment that a text gives, by UTC; None where it gives none or names no time zone, and where UTC has no such
    moment: beyond the first or the last day of the calendar."""
    try:
        found = parse_datetime(text)
        return found.astimezone(UTC) if found is not None and is_aware(found) else None
    except (ValueError, OverflowError):
        return None

"""How much may be paid out, in micro-units of whatever currency. Pure."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Limits:
    """Of one payout, and of one person within 24 hours; from `review_micros` on staff look first."""

    minimum_micros: int
    maximum_micros: int
    daily_micros: int
    daily_count: int
    review_micros: int


def limits() -> Limits:
    """Those of this site."""
    return Limits(
        minimum_micros=settings.PAYOUT_MINIMUM_MICROS,
        maximum_micros=settings.PAYOUT_MAXIMUM_MICROS,
        daily_micros=settings.PAYOUT_DAILY_MICROS,
        daily_count=settings.PAYOUT_DAILY_COUNT,
        review_micros=settings.PAYOUT_REVIEW_MICROS,
    )

"""Celery entry points of appeals."""

from typing import Any

from marketplace.common.sweeps import sweep
from workers.appeals.due import settle_due


@sweep
def settle_appeals(**_: Any) -> None:
    """Decide what others' work or the clock decides."""
    settle_due()

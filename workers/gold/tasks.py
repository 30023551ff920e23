"""Celery entry points of gold."""

from typing import Any

from celery import shared_task

from marketplace.common.transactions import one_transaction
from workers.gold.commands import score_due as score


@shared_task
def score_due(**_: Any) -> None:
    """Score what waits, oldest first, until nothing does."""
    for _round in range(40):
        with one_transaction(principal="system"):
            scored = score()
        if not scored:
            return

"""The sweeps' clock does not care what time it is."""

import time
from datetime import timedelta
from typing import Any

import pytest

from marketplace.celery import app
from marketplace.common.beat import SteadyScheduler


class Recorded(SteadyScheduler):
    """Sends nothing and remembers what it would have sent."""

    producer = None

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(app=app)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        self.sent.append(entry.name)


def test_every_sweep_is_sent_at_once_and_then_at_its_interval() -> None:
    scheduler = Recorded()

    wait = scheduler.tick()

    assert sorted(scheduler.sent) == sorted(app.conf.beat_schedule)
    assert 0 < wait <= 0.25
    assert scheduler.tick() <= wait
    assert len(scheduler.sent) == len(app.conf.beat_schedule)
    time.sleep(0.3)
    scheduler.tick()
    assert scheduler.sent.count("score") == 2


def test_a_wall_clock_that_is_set_back_stops_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Recorded()
    now = app.now
    monkeypatch.setattr(app, "now", lambda: now() + timedelta(minutes=10))
    scheduler.tick()
    monkeypatch.setattr(app, "now", now)
    time.sleep(0.3)

    scheduler.tick()

    assert scheduler.sent.count("score") == 2

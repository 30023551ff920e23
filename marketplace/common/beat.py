"""The clock of the sweeps: every entry at its interval by the monotonic clock, whatever happens to the wall clock.

Celery's own scheduler compares wall clock times. When the clock of the machine is set back by ten minutes, as after a
wrong time server was corrected, it would send nothing for ten minutes: no score, no payment, no acceptance in time.
"""

import math
import time
from typing import Any

from celery.beat import Scheduler


class SteadyScheduler(Scheduler):
    """Sends what is due since it was sent last; nothing is kept between starts, for every task is a sweep."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sent: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Our entries only; all of them are plain intervals."""
        self.merge_inplace(self.app.conf.beat_schedule)

    def tick(self, **_: Any) -> float:
        """Send what is due; the seconds until something is due again."""
        waits = [self.max_interval]
        for name, entry in self.schedule.items():
            every_s = entry.schedule.run_every.total_seconds()
            wait = every_s - (time.monotonic() - self._sent.get(name, -math.inf))
            if wait <= 0:
                self._sent[name] = time.monotonic()
                self.apply_entry(entry, producer=self.producer)
                wait = every_s
            waits.append(wait)
        return min(waits)

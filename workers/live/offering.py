"""Offering places as soon as they open: batches that something happened in are matched at once, beside the relay."""

import logging
import threading
from collections.abc import Iterable

from django.db import DatabaseError, InterfaceError, connection

from marketplace.streams.routes import batch_of_topic
from workers.assignments.matching import match_due

log = logging.getLogger("touchstone.live")


class Offers:
    """A thread that matches what the relay names. It hastens the sweep that does the same each second, and is not the
    only way: what it forgets when it dies is found by that."""

    def __init__(self) -> None:
        self._batches: set[int] = set()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="offers", daemon=True)
        self._thread.start()

    def look(self, topics: Iterable[str]) -> None:
        """Something happened in the batches of these topics; returns at once."""
        batches = {batch_id for topic in topics if (batch_id := batch_of_topic(topic)) is not None}
        if batches:
            with self._changed:
                self._batches |= batches
                self._changed.notify()

    def stop(self) -> None:
        """End after what is under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batches or self._stopped)
                if self._stopped:
                    return
                batches, self._batches = self._batches, set()
            try:
                match_due(batches)
            except (DatabaseError, InterfaceError) as error:
                log.warning("nothing is offered while the database is away: %s", error)
                connection.close()

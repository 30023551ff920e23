"""The relay's loop: step after step while there are events, and a short rest when there are none."""

import logging
import time
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, connection

from marketplace.common.transactions import one_transaction
from marketplace.streams.commands import STEP, Relayed, relay
from marketplace.streams.queries import anything_to_relay
from marketplace.streams.wake import announce

log = logging.getLogger("touchstone.live")

REST_S = 0.04
AFTER_ERROR_S = 0.5


def relay_until(stopped: Callable[[], bool], then: Callable[[Relayed], None] = lambda done: None) -> None:
    """Relay until told to stop, and say `then` what each step did, after its commit.

    Any number of processes may do this: a step of one finds nothing while another's is under way. What fails is tried
    again; a step that was not committed has done nothing.
    """
    while not stopped():
        try:
            done = step()
        except (DatabaseError, InterfaceError) as error:
            log.warning("the relay waits for the database: %s", error)
            connection.close()
            time.sleep(AFTER_ERROR_S)
            continue
        if done.events:
            then(done)
        if done.events < STEP:
            time.sleep(REST_S)


def step() -> Relayed:
    """One step, and its announcement. Nothing is announced that was not committed."""
    if not anything_to_relay():
        return Relayed()
    with one_transaction(principal="relay"):
        done = relay()
    announce(done.streams, done.topics)
    return done

"""Celery entry points of webhooks. Receivers are asked here and nowhere else, and never within a transaction."""

import logging
import random
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.turns import end_turn, take_turn
from marketplace.webhooks.commands.noting import EVENTS, note
from marketplace.webhooks.commands.sending import Held, Outcome, record, take_due
from marketplace.webhooks.egress import EgressFailed, EgressRefused, ask

logger = logging.getLogger("touchstone.webhooks")
ROUNDS = 40
# How many requests are out at once, for how long a sweep begins new ones, and how long it is its turn at most.
WIDTH = 16
SWEEP_S = 20.0
TURN_S = 40


@sweep
def note_events(**_: Any) -> None:
    """Turn what happened into deliveries, oldest first, until nothing is left."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            seen = note()
            if seen:
                got_on()
        if seen < EVENTS:
            return


@sweep
def send_due(**_: Any) -> None:
    """Send what is due, for a while."""
    with one_transaction(principal="system"):
        token = take_turn(name="send-webhooks", seconds=TURN_S)
    if token is None:
        return
    try:
        _send_for(SWEEP_S)
    finally:
        with one_transaction(principal="system"):
            end_turn(name="send-webhooks", token=token)


def _send_for(seconds: float) -> None:
    """Keep requests out until nothing is due or the time is over; then wait for those that are out."""
    until = time.monotonic() + seconds
    out: dict[Future[Outcome], Held] = {}
    with ThreadPoolExecutor(WIDTH) as pool:
        while True:
            if time.monotonic() < until and len(out) < WIDTH:
                with one_transaction(principal="system"):
                    taken = take_due(limit=WIDTH - len(out))
                out |= {pool.submit(send, held): held for held in taken}
            if not out:
                return
            # What becomes due meanwhile is looked for now and then.
            for future in wait(out, timeout=1.0, return_when=FIRST_COMPLETED).done:
                held = out.pop(future)
                with one_transaction(principal="system"):
                    draw = random.random()  # noqa: S311  (spreads tries, guards nothing)
                    following = record(held, future.result(), draw=draw, go_on=time.monotonic() < until)
                    got_on()
                if following is not None:
                    out[pool.submit(send, following)] = following


def send(held: Held) -> Outcome:
    """Ask the receiver; touches no database. Nothing of what he answers but the status is kept."""
    began = time.monotonic()
    status, error = None, ""
    try:
        if "Touchstone-Signature" not in held.headers:
            raise EgressRefused("The secret can no longer be read: rotate it.")
        status = ask("POST", held.url, headers=held.headers, body=held.body).status
        if not 200 <= status <= 299:
            error = "redirects are not followed" if 300 <= status <= 399 else "it answered with this status"
    except (EgressRefused, EgressFailed) as failure:
        error = str(failure)
    except Exception as unexpected:
        # Whatever a receiver makes of the protocol, the others are still to be sent.
        logger.exception("a webhook could not be sent")
        error = f"the request failed ({type(unexpected).__name__})"
    return Outcome(status, error, round((time.monotonic() - began) * 1000))

"""Celery entry points of payouts. Providers are asked here and nowhere else, and never within a transaction."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands import payouts as commands
from marketplace.payouts.commands.sending import (
    Held,
    doubt_unanswered,
    record_answer,
    record_doubt,
    record_look_up,
    record_no_look_up,
    record_refusal,
    take_approved,
    take_to_look_up,
)
from marketplace.payouts.commands.turns import end_turn, take_turn
from marketplace.payouts.providers.base import Answer, CallProvider, Refused, Unclear
from marketplace.payouts.providers.registry import asked_by_call

logger = logging.getLogger("touchstone.payouts")
# How many orders are out at once in one sweep, and for how long it goes on.
WIDTH = 8
SWEEP_S = 20.0
TURN_S = 60


class Silence:
    """The provider did not say, as far as can be told here."""


Said = Answer | Refused | Silence | None


@sweep
def approve_unreviewed(**_: Any) -> None:
    """Approve requests that nobody has to look at."""
    while True:
        with one_transaction(principal="system"):
            done = commands.approve_unreviewed()
            if done:
                got_on()
        if not done:
            return


@sweep
def send_approved(**_: Any) -> None:
    """Ask providers to pay what is approved. What was asked and never answered is put in doubt first."""
    with _turn("send-payouts") as mine:
        if not mine:
            return
        with one_transaction(principal="system"):
            doubt_unanswered()
        providers = asked_by_call()
        for _round in _for_a_while():
            with one_transaction(principal="system"):
                taken = take_approved(providers=providers, limit=WIDTH)
            if not taken:
                return
            _send(taken, providers)


@sweep
def look_up_sent(**_: Any) -> None:
    """Ask providers what has become of orders that are due to be looked up, and send again what they never took."""
    with _turn("look-up-payouts") as mine:
        if not mine:
            return
        providers = asked_by_call()
        for _round in _for_a_while():
            with one_transaction(principal="system"):
                taken = take_to_look_up(providers=providers, limit=WIDTH)
            if not taken:
                return
            again = [held for held, said in _ask_all(taken, providers, _look_up) if _looked_up(held, said)]
            _send(again, providers)


def _send(taken: Sequence[Held], providers: dict[str, CallProvider]) -> None:
    for held, said in _ask_all(taken, providers, _pay):
        with one_transaction(principal="system"):
            if isinstance(said, Answer):
                record_answer(held, said)
            elif isinstance(said, Refused):
                record_refusal(held, str(said) or "the provider refused it")
            else:
                record_doubt(held)
            got_on()


def _looked_up(held: Held, said: Said) -> bool:
    """Write down what the look-up told; whether the order is to be sent again."""
    with one_transaction(principal="system"):
        got_on()
        if isinstance(said, Answer) or said is None:
            return record_look_up(held, said)
        record_no_look_up(held)
    return False


def _ask_all(
    taken: Sequence[Held], providers: dict[str, CallProvider], ask: Callable[[CallProvider, Held], Said]
) -> Iterator[tuple[Held, Said]]:
    """Ask about all of them at once, each in a thread that touches no database; what was said, as it comes in order."""
    if not taken:
        return
    with ThreadPoolExecutor(min(WIDTH, len(taken))) as pool:
        said = [pool.submit(ask, providers[held.provider], held) for held in taken]
        for held, future in zip(taken, said, strict=True):
            yield held, future.result()


def _pay(provider: CallProvider, held: Held) -> Said:
    if held.order is None:
        return Refused("the destination cannot be read any more")
    try:
        return provider.send(held.order)
    except Refused as refusal:
        return refusal
    except Unclear as error:
        logger.warning("%s did not say whether it pays %s: %s", held.provider, held.key, error)
    except Exception:
        # Whatever went wrong, the order may have reached the provider.
        logger.exception("sending %s to %s failed", held.key, held.provider)
    return Silence()


def _look_up(provider: CallProvider, held: Held) -> Said:
    if held.order is None:
        return Silence()
    try:
        return provider.look_up(held.order)
    except Unclear as error:
        logger.warning("%s did not say what became of %s: %s", held.provider, held.key, error)
    except Exception:
        logger.exception("looking up %s at %s failed", held.key, held.provider)
    return Silence()


@contextmanager
def _turn(name: str) -> Iterator[bool]:
    """One process at a time for each sweep, so that a slow provider holds no more. A turn that was not given back, as
    after a crash, ends by itself."""
    with one_transaction(principal="system"):
        token = take_turn(name=name, seconds=TURN_S)
    try:
        yield token is not None
    finally:
        if token is not None:
            with one_transaction(principal="system"):
                end_turn(name=name, token=token)


def _for_a_while() -> Iterator[None]:
    until = time.monotonic() + SWEEP_S
    while time.monotonic() < until:
        yield

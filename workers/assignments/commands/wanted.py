"""What quality rules want done about answers: each done once, with the outcome in words that a requester reads."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError

from marketplace.batches.models import Batch
from marketplace.common.errors import DomainError
from marketplace.common.money import shown
from marketplace.common.transactions import require_transaction
from workers.assignments.commands.holds import hold_answers, release_answers
from workers.assignments.commands.more_places import Added
from workers.assignments.commands.reopen import ask_review, raise_overlap, reopen_answers
from workers.assignments.origin import Origin
from workers.reputation.commands.wanted import Wanted, finish_wanted, take_wanted


class NotDone(Exception):
    """Not done, and why, in words; the transaction must be rolled back before that is written down."""

    def __init__(self, wanted_id: int, why: str) -> None:
        super().__init__(why)
        self.wanted_id = wanted_id


def do_wanted() -> bool:
    """Do the oldest thing that a rule wants of answers and that nobody has in hand; says whether there was one.

    It is marked as done in the same transaction, so it happens once. Raises `NotDone` where it is refused: roll back,
    and call `say_not_done`. Locks: the wanted row, then what the action locks.
    """
    require_transaction()
    found = take_wanted(kinds=list(_DOES), limit=1)
    if not found:
        return False
    [wanted] = found
    try:
        outcome = _DOES[wanted.kind](wanted)
    except DomainError as refusal:
        raise NotDone(wanted.id, refusal.detail) from refusal
    except IntegrityError as error:
        raise NotDone(wanted.id, "the database refused it") from error
    finish_wanted(wanted_id=wanted.id, outcome=outcome)
    return True


def say_not_done(*, wanted_id: int, why: str) -> bool:
    """Write down that an action was refused, and why; it is not tried again. Not where it was done meanwhile."""
    require_transaction()
    return finish_wanted(wanted_id=wanted_id, outcome=f"not done: {why}")


def _raise_overlap(wanted: Wanted) -> str:
    of = {"batch_id": wanted.batch_id, "worker_id": wanted.worker_id}
    added = raise_overlap(**of, answers=wanted.action["answers"], by=wanted.action["by"])
    return _told(wanted, added)


def _reopen(wanted: Wanted) -> str:
    added = reopen_answers(
        batch_id=wanted.batch_id,
        worker_id=wanted.worker_id,
        answers=wanted.action["answers"],
        reason=wanted.words,
        origin=_origin(wanted),
    )
    told = _told(wanted, added)
    return f"{told}; his {len(added.tasks)} answers to them have no vote any more" if added.tasks else told


def _hold(wanted: Wanted) -> str:
    until: datetime = hold_answers(
        batch_id=wanted.batch_id,
        worker_id=wanted.worker_id,
        life=timedelta(days=wanted.action["days"]),
        reason=wanted.words,
        origin=_origin(wanted),
    )
    return (
        f"his answers are not accepted by themselves before {until:%Y-%m-%d %H:%M} UTC,"
        " nor later than seven days after their deadline"
    )


def _release(wanted: Wanted) -> str:
    ended, accepted = release_answers(
        batch_id=wanted.batch_id, worker_id=wanted.worker_id, reason=wanted.words, of_firing=wanted.firing_id
    )
    if not ended:
        return "nothing was held"
    return f"nothing is held any more; {_count(accepted, 'answer')} accepted at once"


def _ask_review(wanted: Wanted) -> str:
    asked = ask_review(
        batch_id=wanted.batch_id, worker_id=wanted.worker_id, reason=wanted.words, origin=_origin(wanted)
    )
    return f"you are asked to look at {_count(asked, 'answer')}" if asked else "no answer of his is undecided"


def _told(wanted: Wanted, added: Added) -> str:
    if not added.tasks:
        return f"none of the tasks of his last {_count(wanted.action['answers'], 'answer')} can have more places"
    currency = Batch.objects.values_list("currency", flat=True).get(pk=wanted.batch_id)
    tasks, held = _count(len(added.tasks), "task"), shown(added.held_micros, currency)
    return f"{tasks} had {_count(added.places, 'place')} added, and {held} is held for that"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _origin(wanted: Wanted) -> Origin:
    return Origin(firing_id=wanted.firing_id)


_DOES: dict[str, Callable[[Wanted], str]] = {
    "raise_overlap": _raise_overlap,
    "reopen": _reopen,
    "hold": _hold,
    "release": _release,
    "ask_review": _ask_review,
}

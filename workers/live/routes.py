"""Which events concern which workers, requesters and staff, and what they are told; and which topics have changed.

A worker is never told here that a rule fired, or that his score moved before it is shown: the moment would tell which
answer was judged (R37).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from re import sub
from typing import Any

from marketplace.accounts.events import Sanctioned, SanctionLifted
from marketplace.batches.events import (
    BatchCancelled,
    BatchClosing,
    BatchPaused,
    BatchPublished,
    BatchResumed,
    BatchSettled,
)
from marketplace.common.database import rows
from marketplace.common.outbox import Delivered, Event
from marketplace.ledger.events import MoneyMoved
from marketplace.results.events import RejectionsReviewed, RejectionsWaiting
from marketplace.streams.routes import (
    BOARD,
    MARKET,
    STAFF,
    Fact,
    Touch,
    address_of_requester,
    address_of_worker,
    routes,
    topic_of_batch,
)
from workers.appeals.events import AppealDecided, AppealMoved, AppealOpened
from workers.assignments.events import (
    AnswerAccepted,
    AnswerRejected,
    AnswerReturned,
    AnswersHeld,
    AnswerSubmitted,
    AnswerUpheld,
    BonusPaid,
    LeaseExpired,
    LeaseReturned,
    PaymentSettled,
    PlacesAdded,
    PlaceTaken,
    ReviewWished,
    TasksQuarantined,
    TasksReleased,
)
from workers.gold.events import GoldWaits, KeyFlagged
from workers.profiles.events import SkillGranted, SkillRevoked
from workers.profiles.queries import workers_of_people
from workers.reputation.events import ReputationShown, RuleFired, RuleWithdrawn

OF_WORK: tuple[type[Event], ...] = (
    PlaceTaken,
    AnswerSubmitted,
    AnswerAccepted,
    AnswerRejected,
    AnswerReturned,
    AnswerUpheld,
    BonusPaid,
    LeaseExpired,
    LeaseReturned,
    PaymentSettled,
)
OF_BATCHES: tuple[type[Event], ...] = (
    BatchPublished,
    BatchPaused,
    BatchResumed,
    BatchClosing,
    BatchCancelled,
    BatchSettled,
)
# What a batch shows to its requester and to those who look for work changes with these too.
OF_PLACES: tuple[type[Event], ...] = (PlacesAdded, TasksQuarantined, TasksReleased)
OF_QUALITY: tuple[type[Event], ...] = (
    KeyFlagged,
    GoldWaits,
    RuleFired,
    RuleWithdrawn,
    ReviewWished,
    AnswersHeld,
    RejectionsWaiting,
    RejectionsReviewed,
)


def name_of(kind: str) -> str:
    """The kind of a fact: the name of its event, in small letters."""
    return sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


@routes(*OF_WORK)
def tell_workers(events: list[Delivered]) -> Iterator[Fact]:
    """Each worker, of his own assignments; what was paid besides the price has none."""
    batches = _batches(event.body["batch_id"] for event in events)
    mine = _assignments([pk for event in events for pk in event.body["assignment_ids"]])
    for event in events:
        of_workers: dict[int, list[Any]] = defaultdict(list)
        for pk in event.body["assignment_ids"]:
            worker_id, public_id = mine[pk]
            of_workers[worker_id].append(public_id)
        batch = batches[event.body["batch_id"]]
        for worker_id in sorted(set(event.body["worker_ids"]) | of_workers.keys()):
            body = {"batch": batch.public_id, "assignments": of_workers.get(worker_id, [])}
            yield Fact(event.id, address_of_worker(worker_id), name_of(event.kind), body)


@routes(AppealOpened, AppealMoved, AppealDecided)
def tell_about_appeals(events: list[Delivered]) -> Iterator[Fact]:
    """Who appeals, the requester whose decision it is, and staff where it is the platform's."""
    found = {
        pk: (worker_id, requester_id, {"appeal": str(public_id), "state": state})
        for pk, worker_id, requester_id, public_id, state in rows(
            "SELECT id, worker_id, requester_id, public_id, state FROM appeals_appeal WHERE id = ANY(%s)",
            [[event.body["appeal_id"] for event in events]],
        )
    }
    for event in events:
        worker_id, requester_id, body = found[event.body["appeal_id"]]
        other = STAFF if requester_id is None else address_of_requester(requester_id)
        for stream in (address_of_worker(worker_id), other):
            yield Fact(event.id, stream, name_of(event.kind), body)


@routes(Sanctioned, SanctionLifted)
def tell_about_sanctions(events: list[Delivered]) -> Iterator[Fact]:
    """All accounts of the person, and staff."""
    ids = dict(
        rows(
            "SELECT id, public_id::text FROM accounts_sanction WHERE id = ANY(%s)",
            [[event.body["sanction_id"] for event in events]],
        )
    )
    for event in events:
        body = {"sanction": ids[event.body["sanction_id"]], "measure": event.body["measure"]}
        for worker_id in workers_of_people(event.body["user_ids"]):
            yield Fact(event.id, address_of_worker(worker_id), name_of(event.kind), body)
        yield Fact(event.id, STAFF, name_of(event.kind), body)


@routes(SkillGranted, SkillRevoked)
def tell_about_skills(events: list[Delivered]) -> Iterator[Fact]:
    """Who holds it, or did."""
    found = dict(
        rows(
            "SELECT id, public_id::text FROM profiles_skill WHERE id = ANY(%s)",
            [[event.body["skill_id"] for event in events]],
        )
    )
    for event in events:
        body = {"skill": found[event.body["skill_id"]]}
        yield Fact(event.id, address_of_worker(event.body["worker_id"]), name_of(event.kind), body)


@routes(ReputationShown)
def tell_about_reputation(events: list[Delivered]) -> Iterator[Fact]:
    """Whose score is shown anew: he reads it where it always is."""
    for event in events:
        for worker_id in sorted(set(event.body["worker_ids"])):
            yield Fact(event.id, address_of_worker(worker_id), name_of(event.kind), {})


@routes(*OF_BATCHES, *OF_PLACES, *OF_QUALITY)
def tell_requesters(events: list[Delivered]) -> Iterator[Fact]:
    """The requester of the batch; staff too of rejections that wait for them."""
    batches = _batches(event.body["batch_id"] for event in events)
    for event in events:
        batch = batches[event.body["batch_id"]]
        body: dict[str, Any] = {"batch": batch.public_id}
        if "reason" in event.body:
            body["reason"] = event.body["reason"]
        if "task_ids" in event.body:
            body["tasks"] = len(event.body["task_ids"])
        yield Fact(event.id, address_of_requester(batch.requester_id), name_of(event.kind), body)
        if event.kind in (RejectionsWaiting.__name__, RejectionsReviewed.__name__):
            yield Fact(event.id, STAFF, name_of(event.kind), body)


@routes(*OF_WORK, *OF_BATCHES, *OF_PLACES, *OF_QUALITY)
def touch_batches(events: list[Delivered]) -> Iterator[Touch]:
    """What a batch shows changes with all that happens in it."""
    for batch_id in {event.body["batch_id"] for event in events}:
        yield Touch(topic_of_batch(batch_id))


@routes(PlaceTaken, KeyFlagged, GoldWaits)
def touch_gold(events: list[Delivered]) -> Iterator[Touch]:
    """A key may have been shown, or needs somebody's word."""
    for batch_id in {event.body["batch_id"] for event in events}:
        yield Touch(f"gold:{batch_id}")


@routes(MoneyMoved)
def touch_money(events: list[Delivered]) -> list[Touch]:
    """What a batch has cost is part of what it shows."""
    return [Touch(topic_of_batch(pk)) for pk in {pk for event in events for pk in event.body["batch_ids"]}]


@routes(PlaceTaken, LeaseExpired, LeaseReturned, AnswerRejected, *OF_BATCHES, *OF_PLACES)
def touch_board(events: list[Delivered]) -> Sequence[Touch]:
    """Places, and the batches that have them, come and go."""
    return [Touch(BOARD), Touch(MARKET)]


class _Batch:
    __slots__ = ("public_id", "requester_id")

    def __init__(self, public_id: str, requester_id: int) -> None:
        self.public_id = public_id
        self.requester_id = requester_id


def _batches(ids: Iterable[int]) -> dict[int, _Batch]:
    found = rows("SELECT id, public_id::text, requester_id FROM batches_batch WHERE id = ANY(%s)", [sorted(set(ids))])
    return {pk: _Batch(public_id, requester_id) for pk, public_id, requester_id in found}


def _assignments(ids: Iterable[int]) -> dict[int, tuple[int, str]]:
    found = rows(
        "SELECT id, worker_id, public_id::text FROM assignments_assignment WHERE id = ANY(%s)", [sorted(set(ids))]
    )
    return {pk: (worker_id, public_id) for pk, worker_id, public_id in found}

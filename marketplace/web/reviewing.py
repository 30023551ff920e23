"""What the pages of reviews show, put together for their templates."""

from dataclasses import asdict, dataclass
from typing import Any

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.pages.plain import fields_in_words
from marketplace.projects.answer_types.labels import title_of
from marketplace.results.commands.adjudication import AHEAD
from marketplace.results.commands.names import gold_tasks
from marketplace.results.queries import room_in
from marketplace.results.queries.review import (
    Item,
    Look,
    Ruling,
    item_of,
    queue_counts,
    queue_page,
    sampled_in,
    task_of,
)
from marketplace.results.reports.sampling import SHARE, Proof, proof_of
from marketplace.results.states import Queue
from marketplace.web.review_words import ANSWERS, QUEUES, RULED_FOR
from workers.appeals.queries import appeals_against
from workers.appeals.states import State as AppealState
from workers.assignments.commands.decide import apply_due
from workers.assignments.queries import quarantine_page
from workers.assignments.states import State
from workers.gold.commands.audit import note_look
from workers.gold.queries import KeyView, key_of
from workers.profiles.commands import pseudonyms

# What together they say can be chosen as an answer is.
TOGETHER = "together"


@dataclass(frozen=True)
class Shown:
    """A task before a reviewer, and its place in the queue; None where it was asked for by its name."""

    item: Item
    place: int | None
    names: dict[int, str]
    key: KeyView | None


@dataclass(frozen=True)
class Desk:
    """All that the page of a queue shows."""

    queue: Queue
    counts: dict[Queue, int]
    shown: Shown | None
    proof: Proof


def desk_of(
    batch: Batch, *, user_id: int, queue: Queue | None, after: int, task: str | None, share: float = SHARE
) -> Desk:
    """The next task of a queue behind a place, or a named one; without a queue the first that has something. `share` is
    what the sample is to prove.

    Decisions whose time is over are taken first. Who is shown a key is noted. Raises `NotFound` for a task that is not
    there.
    """
    with one_transaction(principal="due"):
        apply_due(batch_id=batch.pk)
    with one_transaction(principal="names"):
        gold = gold_tasks(batch=batch)
        counts = queue_counts(batch, gold=gold)
        queue = queue or next((one for one in Queue if counts.get(one)), Queue.DISAGREEMENTS)
        waiting = queue_page(batch, queue, gold=gold, after=after, limit=AHEAD)
        if task is None:
            task_id, place = (waiting[0].task_id, waiting[0].place) if waiting else (None, None)
        else:
            task_id = task_of(batch.pk, task)
            place = next((one.place for one in waiting if one.task_id == task_id), None)
        shown = None if task_id is None else _shown(batch, task_id, place, user_id, queue)
        proof = proof_of(**asdict(sampled_in(batch, gold=gold)), share=share)
    return Desk(queue, counts, shown, proof)


def proof_now(batch: Batch, *, share: float = SHARE) -> Proof:
    """What the sample proves as it stands."""
    with one_transaction(principal="names"):
        return proof_of(**asdict(sampled_in(batch, gold=gold_tasks(batch=batch))), share=share)


def _shown(batch: Batch, task_id: int, place: int | None, user_id: int, queue: Queue) -> Shown:
    item = item_of(batch, task_id)
    key = None
    if queue == Queue.GOLD:
        note_look(batch_id=batch.pk, user_id=user_id, what="keys")
        key = key_of(batch, task_id)
    names = pseudonyms(requester_id=batch.requester_id, worker_ids={look.worker_id for look in item.looks})
    return Shown(item, place, names, key)


def cards_of(batch: Batch, shown: Shown) -> list[dict[str, Any]]:
    """The answers as cards, numbered from 1."""
    fields = batch.version.interface["answer"]
    titles = {field["name"]: title_of(field) for field in fields}
    return [
        {
            "number": number,
            "look": look,
            "worker": shown.names[look.worker_id],
            "state": ANSWERS[look.state],
            "undecided": look.state == State.SUBMITTED,
            "choosable": not look.unclear and look.state != State.REJECTED,
            "said": fields_in_words(fields, look.values or {}, shown.item.data),
            "differs": [titles[name] for name in look.differs],
        }
        for number, look in enumerate(shown.item.looks, start=1)
    ]


def drawn_of(batch: Batch, shown: Shown) -> dict[str, Any]:
    """What the player's modules draw: the item, each answer by its id, what they say together, and the key."""
    item = shown.item
    return {
        "interface": batch.version.interface,
        "data": item.data,
        "answers": {str(look.id): look.values for look in item.looks if look.values and not look.unclear},
        "together": item.standing.value if item.standing and item.standing.value else None,
        "key": shown.key.key if shown.key else None,
    }


def chosen_first(queue: Queue, item: Item) -> str:
    """Which answer is chosen when the page opens: in an escalation the one that is asked about, in the sample what all
    say together; else none."""
    if queue == Queue.ESCALATIONS:
        asked: Look | None = next((look for look in item.looks if look.wishes and look.state == State.SUBMITTED), None)
        return str(asked.id) if asked else ""
    return TOGETHER if queue == Queue.SAMPLE and item.standing and item.standing.value else ""


def rulings_in_words(batch: Batch, rulings: list[Ruling]) -> list[dict[str, Any]]:
    """What was settled before, the last first."""
    fields = batch.version.interface["answer"]
    return [
        {"ruling": ruling, "said": fields_in_words(fields, ruling.values), "why": RULED_FOR[ruling.reason]}
        for ruling in rulings
    ]


def tabs_of(batch: Batch, counts: dict[Queue, int]) -> dict[str, Any]:
    """The queues with how much waits in each, and the other pages of reviews."""
    open_appeals = appeals_against(batch.requester_id).filter(rejection__batch=batch, state=AppealState.OPEN).count()
    return {
        "queues": [(queue.value, QUEUES[queue], counts.get(queue, 0)) for queue in Queue],
        "given_up": bool(quarantine_page(batch.pk, after_id=0, limit=1)),
        "open_appeals": open_appeals,
        "room": room_in(batch.pk),
    }

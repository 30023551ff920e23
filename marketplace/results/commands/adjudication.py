"""Settle what a task's label is, in the requester's name, with a reason that stays."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.batches.locks import lock_tasks
from marketplace.batches.models import Batch
from marketplace.common.database import one
from marketplace.common.transactions import require_transaction
from marketplace.projects.interface import ValuesInvalid, clean_values
from marketplace.results.agreement import differing
from marketplace.results.commands.names import gold_tasks
from marketplace.results.errors import NotChoosable, NotInSample, RulingInvalid
from marketplace.results.models import Adjudication
from marketplace.results.queries.consensus import consensus_of
from marketplace.results.queries.review import Ruling, queue_page, ruling_of, task_of
from marketplace.results.states import Queue, RulingReason

# Of those that chance has drawn, so many are offered; who passes one over finds it again among them.
AHEAD = 50
WORDS_MAX = 2_000


@dataclass(frozen=True)
class Grounds:
    """Why somebody says so, and who."""

    reason: RulingReason
    words: str
    by: int


def adjudicate(
    *,
    batch_id: int,
    task: str,
    grounds: Grounds,
    answer: UUID | None = None,
    values: dict[str, Any] | None = None,
    sampled: bool = False,
) -> Ruling:
    """Settle the label of a task: by one of its answers, or by values of one's own. Results are made with it from the
    next aggregation on.

    An answer can be chosen that is paid or may yet be, and the label counts in results once it is (R42). `sampled` says
    that chance drew the task: whether its label was right is counted then. A later word on the same task replaces this
    one and leaves it on record. Locks the task. Raises `NotFound`, `RulingInvalid` naming what is wrong with the values
    or the words, `NotChoosable`, `NotInSample`.
    """
    require_transaction()
    if grounds.reason == RulingReason.OTHER and not grounds.words.strip():
        raise RulingInvalid("Say why.", errors=[{"field": "words", "message": "Say in words why this is the label."}])
    if (answer is None) == (values is None):
        raise RulingInvalid(
            "Choose an answer, or give one.", errors=[{"field": "answer", "message": "give either answer or values"}]
        )
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    task_id = task_of(batch_id, task)
    lock_tasks([task_id])
    if sampled:
        _require_drawn(batch, task_id)
    chosen, said = _chosen(task_id, answer) if answer is not None else (None, _own(batch, task_id, values or {}))
    standing = consensus_of([task_id]).get(task_id)
    agrees = not differing(batch.version.interface["answer"], standing.value, said) if standing else None
    last = Adjudication.objects.filter(task_id=task_id).order_by("-number").values_list("number", flat=True).first()
    made = Adjudication.objects.create(
        batch=batch,
        task_id=task_id,
        number=(last or 0) + 1,
        values=said,
        answer_id=chosen,
        reason=grounds.reason,
        words=grounds.words.strip(),
        sampled=sampled,
        standing=standing.value if standing else None,
        agrees=agrees,
        made_by_id=grounds.by,
    )
    return ruling_of(made.public_id)


def _require_drawn(batch: Batch, task_id: int) -> None:
    drawn = queue_page(batch, Queue.SAMPLE, gold=gold_tasks(batch=batch), limit=AHEAD)
    if task_id not in {waiting.task_id for waiting in drawn}:
        raise NotInSample("Look at the tasks that chance has drawn, or settle this one without counting it.")


def _chosen(task_id: int, answer: UUID) -> tuple[int, dict[str, Any]]:
    row = one(
        "SELECT a.id, a.state, w.unclear, w.values FROM assignments_assignment a"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON true"
        " WHERE a.task_id = %s AND a.public_id = %s",
        [task_id, answer],
    )
    if row is None:
        raise NotChoosable("This answer is not of this task.", answer=str(answer))
    pk, state, unclear, values = row
    if state not in ("submitted", "accepted", "upheld"):
        raise NotChoosable("An answer that is not to be paid cannot be the label.", answer=str(answer), state=state)
    if unclear:
        raise NotChoosable("This answer says that the task is unclear; it has no label.", answer=str(answer))
    return pk, values


def _own(batch: Batch, task_id: int, values: dict[str, Any]) -> dict[str, Any]:
    row = one("SELECT data FROM batches_payload WHERE task_id = %s", [task_id])
    assert row is not None, "every task has its data"
    try:
        return clean_values(batch.version.interface, values, row[0])
    except ValuesInvalid as invalid:
        raise RulingInvalid(
            "Some values do not fit what is asked.",
            errors=[
                {"field": f"values.{error['field']}" if error["field"] else "values", "message": error["message"]}
                for error in invalid.errors
            ],
        ) from None

"""Running consensus: as answers come, what each task's say together; how each agrees with the others; and which tasks
are beyond doubt while they have places left, which may become gold."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg.types.json import Jsonb

from marketplace.batches.events import BatchCancelled, BatchClosing
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.database import acting_as, rows, run, try_sweep_lock, wait_sweep_lock
from marketplace.common.outbox import Delivered, read
from marketplace.common.transactions import require_transaction
from marketplace.projects.answer_types.labels import is_single_label, label_field
from marketplace.results.judging import AGREEMENT, Agreement, FieldConsensus, Given, is_disputed, judge, sure_labels
from marketplace.results.queries.consensus import trust_of
from workers.assignments.events import (
    AnswerRejected,
    AnswerSubmitted,
    AnswerUpheld,
    PlacesAdded,
    TasksQuarantined,
    TasksReleased,
)
from workers.gold.commands.supply import Candidate, offer_keys
from workers.gold.injection import Policy
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.states import Kind

READER = "consensus"
EVENTS = 200
# So many tasks are judged in one transaction; fewer where comparing answers may take long, as with texts and boxes.
GROUP, GROUP_OF_OTHERS = 200, 20
FAILURES_MAX = 3
# Before a task has all its answers, one is judged where that weighs at least half of what agreement may weigh, by at
# least so many other people: a worker is known sooner, and two who disagree judge nobody.
EARLY_WEIGHT, EARLY_OTHERS = AGREEMENT / 2, 2
# What several people say with this posterior is beyond doubt.
GOLD_POSTERIOR, GOLD_ANSWERS = 0.99, 3
OFFERS = 200
ENDING = (BatchState.CLOSING, BatchState.SETTLED, BatchState.CANCELLED)


@dataclass
class _Task:
    """A task as one statement saw it, with the answers that count and who gave them, by assignment."""

    places: int
    taken: int
    quarantined: bool
    answers: list[Given] = field(default_factory=list)
    persons: dict[int, int] = field(default_factory=dict)
    unclear: int = 0
    held: int = 0

    def is_full(self) -> bool:
        """Whether every place has its answer; of a task in quarantine, every place that can still get one."""
        return self.held >= (self.taken if self.quarantined else self.places)

    def tells_early(self, agreement: Agreement) -> bool:
        """Whether the others are enough people, and sure enough, to judge the answer while places are open."""
        own = self.persons[agreement.answer.assignment_id]
        return agreement.weight >= EARLY_WEIGHT and len(set(self.persons.values()) - {own}) >= EARLY_OTHERS


def notice(*, limit: int = EVENTS) -> int:
    """Write down which tasks the next events of the outbox concern, and which batches have ended; returns how many
    events there were. Its place in the outbox moves with the caller's transaction."""
    require_transaction()
    events = list(read(READER, limit=limit))
    answers = [pk for event in _of(events, AnswerSubmitted, AnswerRejected, AnswerUpheld)
               for pk in event.body["assignment_ids"]]  # fmt: skip
    tasks = [pk for event in _of(events, PlacesAdded, TasksQuarantined, TasksReleased) for pk in event.body["task_ids"]]
    if answers or tasks:
        run(
            "INSERT INTO results_toconsider (batch_id, task_id)"
            " SELECT batch_id, task_id FROM assignments_assignment WHERE id = ANY(%s)"
            " UNION SELECT batch_id, id FROM batches_task WHERE id = ANY(%s) ORDER BY 1, 2 ON CONFLICT DO NOTHING",
            [answers, tasks],
        )
    if ended := sorted({event.body["batch_id"] for event in _of(events, BatchClosing, BatchCancelled)}):
        run("INSERT INTO results_toclose (batch_id) SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING", [ended])
    return len(events)


def consider(*, batch_id: int, limit: int | None = None) -> int:
    """Make the consensus of tasks of the batch whose answers have changed, or that its end leaves open; returns how
    many.

    Each answer gets one outcome for how it agrees with the others, once these are sure enough or the task has all its
    answers, unless it was marked unclear, the task is gold, or the others say nothing. One transaction does it for a
    batch; another that comes meanwhile finds nothing. Repeatable: an answer's outcome stays what it was first. Locks
    what `record_outcomes` does.
    """
    require_transaction()
    if not try_sweep_lock(f"consensus:{batch_id}"):
        return 0
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    fields = batch.version.interface["answer"]
    limit = limit or (GROUP if all(is_single_label(declared) for declared in fields) else GROUP_OF_OTHERS)
    task_ids = _due(batch_id, limit)
    if not task_ids:
        return 0
    tasks = _tasks(task_ids)
    answers = [answer for task in tasks.values() for answer in task.answers]
    workers = sorted({answer.worker_id for answer in answers})
    found = judge(fields, answers, trust_of(project_id=batch.project_id, worker_ids=workers))
    (gold, offered), done = _gold(task_ids), _judged([answer.assignment_id for answer in answers])
    full = {task_id for task_id, task in tasks.items() if batch.state in ENDING or task.is_full()}
    agreements = [
        agreement
        for agreement in found.agreements
        if (task_id := agreement.answer.task_id) not in gold
        and agreement.answer.assignment_id not in done
        and (task_id in full or (task_id not in offered and tasks[task_id].tells_early(agreement)))
    ]
    _store(batch, tasks, found.tasks, full, {agreement.answer.task_id for agreement in agreements})
    record_outcomes([_outcome(batch, agreement) for agreement in agreements])
    return len(task_ids)


def offer_sure(*, batch_id: int, limit: int = OFFERS) -> int:
    """Offer to gold the tasks of the batch that several people have answered alike beyond doubt, that nobody found
    unclear, and that others may still be asked; returns how many became gold.

    They are those with the latest answers, so that what gold refuses stands in nobody's way. Answers that were judged
    by each other before keep that outcome, and no key judges those that it was made of: only who comes later meets it
    as gold. Waits for a transaction that makes the batch's consensus. Locks what `offer_keys` does: commit it before
    anything else.
    """
    require_transaction()
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    if batch.state in ENDING or Policy(**batch.gold_policy).refill == "off":
        return 0
    wait_sweep_lock(f"consensus:{batch_id}")
    with acting_as("gold_reader"):
        sure = rows(
            "SELECT c.task_id, c.values FROM results_consensus c WHERE c.batch_id = %s AND c.sure AND NOT c.settled"
            " AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = c.task_id)"
            " ORDER BY c.made_at DESC LIMIT %s",
            [batch_id, limit],
        )
    found = []
    for task_id, values in sure:
        fields = {name: FieldConsensus.from_json(stored) for name, stored in values.items()}
        key = _key(batch, fields)
        if key is not None:
            found.append(Candidate(task_id, key, min(fields[name].posterior for name in key)))
    return offer_keys(batch_id=batch_id, found=found) if found else 0


def put_off(*, batch_id: int, task_id: int) -> None:
    """Note that the consensus of a task could not be made. After three times it stands in nobody's way."""
    require_transaction()
    run(
        "INSERT INTO results_toconsider AS c (batch_id, task_id, failures) VALUES (%s, %s, 1)"
        " ON CONFLICT (batch_id, task_id) DO UPDATE SET failures = least(c.failures + 1, %s)",
        [batch_id, task_id, FAILURES_MAX],
    )


def _of(events: Sequence[Delivered], *kinds: type) -> list[Delivered]:
    names = {kind.__name__ for kind in kinds}
    return [event for event in events if event.kind in names]


def _due(batch_id: int, limit: int) -> list[int]:
    """Take tasks off the queue; once it is empty, and the batch has ended, those of its tasks that are not settled."""
    taken = [
        row[0]
        for row in rows(
            "DELETE FROM results_toconsider WHERE batch_id = %s AND task_id IN (SELECT task_id FROM results_toconsider"
            " WHERE batch_id = %s AND failures < %s ORDER BY failures, task_id LIMIT %s) RETURNING task_id",
            [batch_id, batch_id, FAILURES_MAX, limit],
        )
    ]
    if taken:
        return sorted(taken)
    ended = rows("SELECT after_task_id FROM results_toclose WHERE batch_id = %s", [batch_id])
    if not ended:
        return []
    left = [
        row[0]
        for row in rows(
            "SELECT task_id FROM results_consensus c WHERE batch_id = %s AND task_id > %s AND NOT settled"
            " AND NOT EXISTS"
            " (SELECT 1 FROM results_toconsider f WHERE f.batch_id = c.batch_id AND f.task_id = c.task_id)"
            " ORDER BY task_id LIMIT %s",
            [batch_id, ended[0][0], limit],
        )
    ]
    if left:
        run("UPDATE results_toclose SET after_task_id = %s WHERE batch_id = %s", [left[-1], batch_id])
    else:
        run("DELETE FROM results_toclose WHERE batch_id = %s", [batch_id])
    return left


def _tasks(task_ids: list[int]) -> dict[int, _Task]:
    """The tasks with their places and answers, in one snapshot. What was discounted is not among the answers, but keeps
    its place."""
    tasks: dict[int, _Task] = {}
    for task_id, places, taken, quarantined, pk, worker_id, person_id, state, unclear, values, votes in rows(
        "SELECT t.id, t.overlap - t.refunded, t.taken, t.quarantined_at IS NOT NULL, a.id, a.worker_id, p.person_id,"
        " a.state, w.unclear, w.values,"
        " NOT EXISTS (SELECT 1 FROM assignments_discount d WHERE d.assignment_id = a.id) FROM batches_task t"
        " LEFT JOIN assignments_assignment a ON a.task_id = t.id AND a.state IN ('submitted', 'accepted', 'upheld')"
        " LEFT JOIN profiles_worker p ON p.id = a.worker_id"
        " LEFT JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "                    ORDER BY revision DESC LIMIT 1) w ON true"
        " WHERE t.id = ANY(%s) ORDER BY t.id, a.id",
        [task_ids],
    ):
        task = tasks.setdefault(task_id, _Task(places, taken, quarantined))
        if pk is None:
            continue
        task.held += state != "upheld"
        if unclear:
            task.unclear += 1
        elif votes:
            task.answers.append(Given(pk, task_id, worker_id, values))
            task.persons[pk] = person_id
    return tasks


def _store(
    batch: Batch,
    tasks: dict[int, _Task],
    consensus: dict[int, dict[str, FieldConsensus]],
    full: set[int],
    judged: set[int],
) -> None:
    table = []
    for task_id, task in tasks.items():
        of_fields = consensus.get(task_id, {})
        people = len(set(task.persons.values()))
        sure = not task.unclear and people >= GOLD_ANSWERS and _key(batch, of_fields) is not None
        table.append((
            task_id, Jsonb({name: found.as_json() for name, found in of_fields.items()}),
            min((found.posterior for found in of_fields.values()), default=0.0), len(task.answers), task.unclear,
            sure, task_id in full, task_id in judged,
            is_disputed(of_fields.values(), unclear=task.unclear),
        ))  # fmt: skip
    columns = list(zip(*table, strict=True))
    run(
        "INSERT INTO results_consensus AS c (task_id, batch_id, values, posterior, answers, unclear, sure, settled,"
        " disputed, judged_at, made_at)"
        " SELECT t, %s, v, p, a, u, b, s, d, CASE WHEN j THEN market_now() END, market_now()"
        " FROM unnest(%s::bigint[], %s::jsonb[], %s::float8[], %s::int[], %s::int[],"
        " %s::boolean[], %s::boolean[], %s::boolean[], %s::boolean[]) AS g(t, v, p, a, u, b, s, j, d)"
        " ON CONFLICT (task_id) DO UPDATE SET values = excluded.values, posterior = excluded.posterior,"
        " answers = excluded.answers, unclear = excluded.unclear, sure = excluded.sure, settled = excluded.settled,"
        " disputed = excluded.disputed, judged_at = coalesce(c.judged_at, excluded.judged_at),"
        " made_at = excluded.made_at",
        [batch.pk, *(list(column) for column in columns)],
    )


def _gold(task_ids: list[int]) -> tuple[set[int], set[int]]:
    """Those of the tasks that are gold, or were while somebody was shown them; and those that wait to become it.

    What the crowd agreed on and the requester has not confirmed is an ordinary task, but its key may yet judge the
    answers that came since, so that the others judge them only when no place is left to confirm it for.
    """
    with acting_as("gold_reader"):
        found = rows(
            "SELECT task_id, origin = 'requester' OR state IN ('live', 'flagged') OR shown > 0, state = 'waiting'"
            " FROM batches_goldkey WHERE task_id = ANY(%s)",
            [task_ids],
        )
    return {pk for pk, is_gold, _ in found if is_gold}, {pk for pk, _, waits in found if waits}


def _key(batch: Batch, consensus: dict[str, FieldConsensus]) -> dict[str, str] | None:
    fields = batch.version.interface["answer"]
    return sure_labels(fields, consensus, at_least=GOLD_POSTERIOR, answers=GOLD_ANSWERS)


def _judged(assignment_ids: list[int]) -> set[int]:
    """Those of the answers that were judged by the others before."""
    with acting_as("gold_reader"):
        return {
            row[0]
            for row in rows(
                "SELECT assignment_id FROM reputation_outcome WHERE assignment_id = ANY(%s) AND kind = 'agreement'"
                " AND round = 0",
                [assignment_ids],
            )
        }


def _outcome(batch: Batch, agreement: Agreement) -> Judged:
    fields = {declared["name"]: declared for declared in batch.version.interface["answer"]}
    answer, single = agreement.answer, label_field(fields.values())
    label = agreement.fields.get(single) if single else None
    return Judged(
        worker_id=answer.worker_id,
        project_id=batch.project_id,
        batch_id=batch.pk,
        score=agreement.score,
        kind=Kind.AGREEMENT,
        weight=agreement.weight,
        assignment_id=answer.assignment_id,
        task_id=answer.task_id,
        field=single or "",
        truth=label.truth if label else None,
        given=label.given if label else None,
        answer_type=fields[single or next(iter(fields))]["type"],
        easiness=agreement.easiness,
    )

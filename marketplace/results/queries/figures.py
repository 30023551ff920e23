"""Figures of a batch that look at its answers: gathered in the background, kept, and read by pages and the API."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from marketplace.batches.models import Batch
from marketplace.batches.queries import COUNTS, counts
from marketplace.common.database import one, rows
from marketplace.common.lots import LOT, lots_of
from marketplace.common.transactions import require_transaction
from marketplace.results.models import Figures
from marketplace.results.queries.agreement import COUNTED, Compared, compared_answers
from marketplace.results.reports.watching import WORK, FieldLook, look_at
from workers.reputation.queries import posteriors_of

# So many answers are compared with each other, and of so many of the newest it is counted what they say.
COMPARED_MAX, NEWEST = 20_000, 20_000
WORKERS_MAX, HARDEST_MAX = 500, 50
# The counts of a batch with which its figures change.
MATTER = tuple(name for name in COUNTS if name not in ("leased", "expired"))
# Time is told in steps of one of these: the shortest that makes at most so many.
STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 720, 1_440, 10_080, 40_320, 524_160))
STEPS_MAX = 48


@dataclass(frozen=True)
class WorkerLook:
    """One worker in the batch. `score` with `low` and `high`: how often he is expected to be right in the project, with
    95 % credibility; `evidence` is how many judgements stand behind it. `median_s` from taking a task to sending
    it; `agreement` how often he says what others say to the same task, in the first field; None where nothing is known.
    Nothing here is of gold: this is kept where everybody's requests could read it."""

    worker_id: int
    answers: int
    unclear: int
    rejected: int
    median_s: float | None
    score: float
    low: float
    high: float
    evidence: int
    tasks: int
    agreement: float | None


@dataclass(frozen=True)
class HardTask:
    """A task whose answers leave most doubt."""

    task: str
    posterior: float
    answers: int
    unclear: int
    settled: bool


@dataclass(frozen=True)
class Step:
    """How many answers came in a step of time, from `since` on."""

    since: datetime
    answers: int


@dataclass(frozen=True)
class Look:
    """All that is worked out of a batch at one moment.

    tasks, of_tasks, answers    how much was compared, as `Compared` says it
    newest                      how many answers were counted by what they say
    unclear                     answers of the batch that say that it is unclear
    given_up                    by reason, how often workers gave a task back
    step_s                      how long each of the steps is
    """

    fields: tuple[FieldLook, ...]
    tasks: int
    of_tasks: int
    answers: int
    newest: int
    unclear: int
    given_up: Mapping[str, int]
    steps: tuple[Step, ...]
    step_s: int
    workers: tuple[WorkerLook, ...]
    more_workers: int
    hardest: tuple[HardTask, ...]

    @property
    def worker_ids(self) -> set[int]:
        """The workers who are named anywhere in it."""
        named = {one.worker_id for one in self.workers}
        for field in self.fields:
            named |= {one.worker_id for one in field.agreement.workers}
            named |= {worker_id for one in field.agreement.pairs for worker_id in (one.one, one.other)}
        return named

    @property
    def task_ids(self) -> set[int]:
        """The tasks that are named as examples."""
        return {task_id for field in self.fields for one in field.agreement.confused for task_id in one.task_ids}

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self) | {
            "fields": [one.as_json() for one in self.fields],
            "steps": [[one.since.isoformat(), one.answers] for one in self.steps],
            "workers": [asdict(one) for one in self.workers],
            "hardest": [asdict(one) for one in self.hardest],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Look":
        """What `as_json` wrote."""
        return cls(
            **(
                stored
                | {
                    "fields": tuple(FieldLook.from_json(one) for one in stored["fields"]),
                    "steps": tuple(Step(datetime.fromisoformat(since), answers) for since, answers in stored["steps"]),
                    "workers": tuple(WorkerLook(**one) for one in stored["workers"]),
                    "hardest": tuple(HardTask(**one) for one in stored["hardest"]),
                }
            )
        )


@dataclass(frozen=True)
class Kept:
    """What was worked out last, and when; `changed` says that answers came or were decided since."""

    look: Look
    made_at: datetime
    changed: bool


@dataclass(frozen=True)
class Gathered:
    """What `worked_out` looks at, read in one transaction; `seen` are the batch's counts of that moment."""

    batch: Batch
    seen: dict[str, int]
    compared: Compared
    newest: list[dict[str, Any]]
    unclear: int
    given_up: dict[str, int]
    steps: list[Step]
    step_s: int
    workers: list[dict[str, Any]]
    more_workers: int
    hardest: list[HardTask]


def kept_figures(batch: Batch) -> Kept | None:
    """What was worked out of the batch last; None before the first time."""
    found = Figures.objects.filter(batch=batch, made_at__isnull=False).first()
    if found is None or found.made_at is None:
        return None
    return Kept(Look.from_json(found.body), found.made_at, found.seen != counts_that_matter(batch.pk))


def counts_that_matter(batch_id: int) -> dict[str, int]:
    """The batch's counts with which figures change: not who holds a task just now."""
    found = counts(batch_id)
    return {name: found[name] for name in MATTER}


def due_figures(*, watched_s: int, pause_s: float, part: int, given_up_s: int) -> list[int]:
    """The batches whose figures are due, those first that have waited longest: wanted within `watched_s`, in nobody's
    hands (or for longer than `given_up_s`), and not worked out within a pause, which is `part` times what they cost."""
    columns = ", ".join(MATTER)
    now = ", ".join(f"'{name}', coalesce(sum(d.{name}), 0)" for name in MATTER)
    return [
        row[0]
        for row in rows(
            f"SELECT f.batch_id FROM results_figures f CROSS JOIN LATERAL (SELECT jsonb_build_object({now}) AS counted"
            f"   FROM (SELECT {columns} FROM batches_progress WHERE batch_id = f.batch_id UNION ALL"
            f"         SELECT {columns} FROM batches_progressdelta WHERE batch_id = f.batch_id) d) c"
            " WHERE f.wanted_at > market_now() - make_interval(secs => %s)"
            " AND (f.begun_at IS NULL OR f.begun_at < market_now() - make_interval(secs => %s))"
            " AND (f.made_at IS NULL OR (NOT (f.rests AND f.seen = c.counted) AND f.made_at <"
            "      market_now() - make_interval(secs => greatest(%s, f.took_ms * %s / 1000.0))))"
            " ORDER BY f.made_at NULLS FIRST, f.batch_id",
            [watched_s, given_up_s, pause_s, part],
        )
    ]


def gather(batch_id: int) -> Gathered:
    """Read what figures are made of. What is counted over the whole batch are narrow rows; answers themselves are read
    of a sample. Reads as the gold reader, in a transaction."""
    require_transaction()
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    seen = counts_that_matter(batch_id)
    steps, step_s = _steps(batch_id)
    workers, more_workers = _workers(batch)
    return Gathered(
        batch=batch,
        seen=seen,
        compared=compared_answers(batch_id, answers_max=COMPARED_MAX),
        newest=_newest(batch_id),
        unclear=sum(worker["unclear"] for worker in workers) if not more_workers else _unclear(batch_id),
        given_up=dict(
            rows(
                "SELECT end_reason, count(*) FROM assignments_assignment WHERE batch_id = %s AND state = 'returned'"
                " AND end_reason <> 'skip' GROUP BY 1 ORDER BY 2 DESC, 1",
                [batch_id],
            )
        ),
        steps=steps,
        step_s=step_s,
        workers=workers,
        more_workers=more_workers,
        hardest=[
            HardTask(*row)
            for row in rows(
                "SELECT t.external_id, c.posterior, c.answers, c.unclear, c.settled FROM results_consensus c"
                " JOIN batches_task t ON t.id = c.task_id WHERE c.batch_id = %s AND c.answers + c.unclear > 1"
                " ORDER BY c.posterior, c.task_id LIMIT %s",
                [batch_id, HARDEST_MAX],
            )
        ],
    )


def worked_out(found: Gathered) -> Look:
    """The figures; asks the database for nothing."""
    declared = found.batch.version.interface["answer"]
    work, lots = WORK // len(declared), lots_of(found.batch.public_id)
    looks = tuple(look_at(field, found.compared.said, found.newest, work=work, lots=lots) for field in declared)
    beside = {one.worker_id: one for one in looks[0].agreement.workers} if looks else {}
    workers = []
    for worker in found.workers:
        told = beside.get(worker["worker_id"])
        workers.append(
            WorkerLook(**worker, tasks=told.tasks if told else 0, agreement=told.agreement if told else None)
        )
    return Look(
        fields=looks,
        tasks=found.compared.tasks,
        of_tasks=found.compared.of_tasks,
        answers=found.compared.answers,
        newest=len(found.newest),
        unclear=found.unclear,
        given_up=found.given_up,
        steps=tuple(found.steps),
        step_s=found.step_s,
        workers=tuple(workers),
        more_workers=found.more_workers,
        hardest=tuple(found.hardest),
    )


def _newest(batch_id: int) -> list[dict[str, Any]]:
    return [
        row[0]
        for row in rows(
            "SELECT w.values FROM (SELECT id FROM assignments_assignment WHERE batch_id = %s AND state = ANY(%s)"
            "                       ORDER BY id DESC LIMIT %s) a"
            " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
            "               ORDER BY revision DESC LIMIT 1) w ON NOT w.unclear",
            [batch_id, list(COUNTED), NEWEST],
        )
    ]


def _steps(batch_id: int) -> tuple[list[Step], int]:
    """Answers by when they came, up to now while the batch takes work, in steps without gaps."""
    span = one(
        "SELECT min(a.submitted_at), greatest(max(a.submitted_at), CASE WHEN min(b.closed_at) IS NULL"
        "       THEN market_now() END)"
        " FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id"
        " WHERE a.batch_id = %s AND a.submitted_at IS NOT NULL",
        [batch_id],
    )
    assert span is not None
    first, last = span
    if first is None:
        return [], int(STEPS[0].total_seconds())
    step = next((step for step in STEPS if last - first < step * (STEPS_MAX - 1)), STEPS[-1])
    step_s = int(step.total_seconds())
    found = rows(
        "WITH came AS (SELECT date_bin(make_interval(secs => %s), submitted_at, timestamptz '2000-01-03') AS since,"
        "   count(*) AS answers FROM assignments_assignment"
        "   WHERE batch_id = %s AND submitted_at IS NOT NULL GROUP BY 1)"
        " SELECT s.since, coalesce(c.answers, 0) FROM generate_series("
        "   date_bin(make_interval(secs => %s), %s::timestamptz, timestamptz '2000-01-03'), %s::timestamptz,"
        "   make_interval(secs => %s)) s (since) LEFT JOIN came c USING (since) ORDER BY 1",
        [step_s, batch_id, step_s, first, last, step_s],
    )
    return [Step(since, answers) for since, answers in found], step_s


def _workers(batch: Batch) -> tuple[list[dict[str, Any]], int]:
    """Those with most answers, and how many more there are; among those with as many the lot decides."""
    names = ("worker_id", "answers", "rejected", "median_s", "unclear")
    found = [
        dict(zip(names, row[:5], strict=True)) | {"of": row[5]}
        for row in rows(
            "WITH unclear AS MATERIALIZED ("
            "   SELECT w.assignment_id AS id FROM assignments_answer w WHERE w.batch_id = %s AND w.unclear"
            "    AND NOT EXISTS"
            "    (SELECT 1 FROM assignments_answer n"
            "     WHERE n.assignment_id = w.assignment_id AND n.revision > w.revision))"
            " SELECT a.worker_id, count(*), count(*) FILTER (WHERE a.state = 'rejected'),"
            " percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.submitted_at - a.leased_at))::float8,"
            " count(u.id), count(*) OVER ()"
            " FROM assignments_assignment a LEFT JOIN unclear u ON u.id = a.id"
            " WHERE a.batch_id = %s AND a.state IN ('submitted', 'accepted', 'rejected', 'upheld')"
            f" GROUP BY 1 ORDER BY 2 DESC, {LOT.format('a.worker_id')} LIMIT %s",
            [batch.pk, batch.pk, lots_of(batch.public_id), WORKERS_MAX],
        )
    ]
    more = found[0].pop("of") - len(found) if found else 0
    ids = [worker["worker_id"] for worker in found]
    known = posteriors_of(worker_ids=ids, project_id=batch.project_id)
    for worker in found:
        worker.pop("of", None)
        of = known[worker["worker_id"]]
        low, high = of.posterior.interval()
        worker |= {"score": of.posterior.mean, "low": low, "high": high, "evidence": of.evidence}
    return found, more


def _unclear(batch_id: int) -> int:
    row = one("SELECT count(*) FROM assignments_answer WHERE batch_id = %s AND unclear", [batch_id])
    assert row is not None
    return int(row[0])

"""What work pays an hour, as measured: not what anybody hopes."""

from collections.abc import Collection
from dataclasses import dataclass

from marketplace.batches.models import Batch
from marketplace.common.database import rows

# Of each batch so many of the last accepted answers are looked at; with fewer than the least nothing is said.
SAMPLE, LEAST = 40, 5
# Where a batch has too few, as many of each of the project's last batches tell it.
SIBLINGS = 8


@dataclass(frozen=True)
class Pace:
    """Half of the answers took at most `median_s` seconds; from so many, in this `batch`, in other batches of the
    `project`, or in batches of anybody that ask for the same kinds of `answers`."""

    median_s: float
    answers: int
    of: str


@dataclass(frozen=True)
class Pay:
    """Micro-units of the batch's currency an hour: of half of the answers at least `median_micros`, of three quarters
    at least `low_micros`, of a quarter at least `high_micros`; half of them took at most `median_s` seconds. From so
    many answers, of the `batch` or `project`."""

    median_micros: int
    low_micros: int
    high_micros: int
    median_s: float
    answers: int
    of: str


# As `assignments_median_ms` measures it: nobody works on two at once, so an answer's time begins with its lease, but
# not before the worker's submission before it, and the answers of a page share theirs. A page takes a second at least.
_MEASURED = """
WITH sampled AS (
    SELECT w.of, w.batch_id, a.worker_id, a.leased_at, a.submitted_at, s.price_micros
      FROM ({of}) w (of, batch_id)
      CROSS JOIN LATERAL (SELECT s.assignment_id, s.price_micros FROM assignments_settlement s
                           WHERE s.batch_id = w.batch_id ORDER BY s.assignment_id DESC LIMIT %s) s
      JOIN assignments_assignment a ON a.id = s.assignment_id),
page AS (
    SELECT p.of, p.batch_id, p.worker_id, p.submitted_at, min(p.leased_at) AS leased_at, count(*) AS answers,
           sum(p.price_micros) AS price_micros
      FROM sampled p GROUP BY p.of, p.batch_id, p.worker_id, p.submitted_at),
timed AS (
    SELECT p.of, p.answers, p.price_micros, greatest(1, extract(epoch FROM p.submitted_at
               - greatest(p.leased_at, lag(p.submitted_at) OVER walk))) AS took_s
      FROM page p WINDOW walk AS (PARTITION BY p.batch_id, p.worker_id ORDER BY p.submitted_at))
SELECT t.of, percentile_disc(array[0.5, 0.25, 0.75]) WITHIN GROUP (ORDER BY (t.price_micros * 3600 / t.took_s)::bigint),
       round(percentile_disc(0.5) WITHIN GROUP (ORDER BY t.took_s / t.answers), 1)::float8, count(*)
  FROM timed t CROSS JOIN LATERAL generate_series(1, t.answers) GROUP BY t.of HAVING count(*) >= %s
"""
# Newest first; and of those with the same kinds of answers among so many of all.
_OF_PROJECT = """
SELECT 'project'::text, o.id FROM batches_batch o
 WHERE o.project_id = %s AND o.published_at IS NOT NULL ORDER BY o.id DESC LIMIT %s
"""
_OF_ANSWERS = """
SELECT 'answers'::text, o.id
  FROM (SELECT b.id, b.version_id FROM batches_batch b WHERE b.published_at IS NOT NULL ORDER BY b.id DESC LIMIT %s) o
  JOIN projects_version v ON v.id = o.version_id
 WHERE (SELECT array_agg(DISTINCT f->>'type' ORDER BY f->>'type') FROM jsonb_array_elements(v.interface->'answer') f)
       = %s::text[]
 ORDER BY o.id DESC LIMIT %s
"""
LOOKED_AT = 500
HOUR_S = 3_600
# Prices are told in steps of a tenth of a cent.
STEP_MICROS = 1_000
_OF_BATCHES = "SELECT id, id FROM unnest(%s::bigint[]) b (id)"
_OF_PROJECTS = """
SELECT p.project_id || ' ' || p.currency, o.id
  FROM (SELECT DISTINCT b.project_id, b.currency FROM batches_batch b WHERE b.id = ANY (%s::bigint[])) p
  CROSS JOIN LATERAL (SELECT o.id FROM batches_batch o WHERE o.project_id = p.project_id AND o.currency = p.currency
                         AND o.published_at IS NOT NULL ORDER BY o.id DESC LIMIT %s) o
"""


def pay_of(batch_ids: Collection[int]) -> dict[int, Pay]:
    """What the batches pay an hour, from the newest accepted answers of each or, where those are too few, of its
    project; batches of which too little is known are left out. Three statements at most, for any number."""
    wanted = sorted(set(batch_ids))
    found = {
        batch: _pay(quartiles, median_s, answers, "batch")
        for batch, quartiles, median_s, answers in rows(_MEASURED.format(of=_OF_BATCHES), [wanted, SAMPLE, LEAST])
    }
    unknown = [batch for batch in wanted if batch not in found]
    if unknown:
        names = dict(rows("SELECT id, project_id || ' ' || currency FROM batches_batch WHERE id = ANY (%s)", [unknown]))
        alike = {
            name: _pay(quartiles, median_s, answers, "project")
            for name, quartiles, median_s, answers in rows(
                _MEASURED.format(of=_OF_PROJECTS), [unknown, SIBLINGS, SAMPLE // SIBLINGS * 2, LEAST]
            )
        }
        found |= {batch: alike[name] for batch, name in names.items() if name in alike}
    return found


def pace_for(batch: Batch) -> Pace | None:
    """How long an answer in a batch will take, from the nearest work that was measured; None where nothing was."""
    kinds = sorted({field["type"] for field in batch.version.interface["answer"]})
    for of, asked in (
        (_OF_BATCHES.replace("id, id", "'batch'::text, id"), [[batch.pk]]),
        (_OF_PROJECT, [batch.project_id, SIBLINGS]),
        (_OF_ANSWERS, [LOOKED_AT, kinds, SIBLINGS]),
    ):
        for name, _, median_s, answers in rows(_MEASURED.format(of=of), [*asked, SAMPLE, LEAST]):
            return Pace(median_s, answers, name)
    return None


def price_for(seconds: float, hourly_micros: int) -> int:
    """The least price that pays so much an hour where an answer takes so long; a whole number of steps.

    >>> price_for(12, 12_000_000), price_for(0.5, 1)
    (40000, 1000)
    """
    exact = hourly_micros * seconds / HOUR_S
    return max(1, -int(-exact // STEP_MICROS)) * STEP_MICROS


def hourly_for(seconds: float, price_micros: int) -> int:
    """What a price pays an hour where an answer takes so long."""
    return round(price_micros * HOUR_S / seconds)


def _pay(quartiles: list[int], median_s: float, answers: int, of: str) -> Pay:
    median, low, high = quartiles
    return Pay(median, low, high, median_s, answers, of)

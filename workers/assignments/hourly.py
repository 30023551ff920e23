"""What work pays an hour, as measured: not what anybody hopes."""

from collections.abc import Collection
from dataclasses import dataclass

from marketplace.common.database import rows

# Of each batch so many of the last accepted answers are looked at; with fewer than the least nothing is said.
SAMPLE, LEAST = 40, 5
# Where a batch has too few, as many of each of the project's last batches tell it.
SIBLINGS = 8


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


def _pay(quartiles: list[int], median_s: float, answers: int, of: str) -> Pay:
    median, low, high = quartiles
    return Pay(median, low, high, median_s, answers, of)

"""Who builds a data set: one process at a time, which says that it is alive, and takes a step or none."""

from marketplace.common.database import MarketNow, one, run, try_sweep_lock
from marketplace.common.prepared import prepared
from marketplace.common.transactions import require_transaction
from marketplace.results.models import Dataset, DatasetPart
from marketplace.results.states import DatasetState, PartKind

# A version whose builder is silent for so long is taken up by another.
HOLD_S = 60
TRIES = 3
PART_BYTES = 1024 * 1024


class Lost(Exception):
    """Another process has taken the version up, or it is finished."""


def take_next() -> Dataset | None:
    """Take up the version that has waited longest and that nobody builds; one of all at a time. One that was taken up
    in vain too often fails."""
    require_transaction()
    if not try_sweep_lock("datasets"):
        return None
    row = one(
        "UPDATE results_dataset SET token = gen_random_uuid(), attempts = attempts + 1, touched_at = market_now(),"
        " held_until = market_now() + make_interval(secs => %s) WHERE id = (SELECT id FROM results_dataset"
        " WHERE finished_at IS NULL AND NOT EXISTS (SELECT 1 FROM results_dataset h WHERE h.finished_at IS NULL"
        " AND h.held_until > market_now()) ORDER BY touched_at, id LIMIT 1) RETURNING id",
        [HOLD_S],
    )
    if row is None:
        return None
    it = Dataset.objects.select_related("batch__version", "batch__project", "run").get(pk=row[0])
    if it.attempts > TRIES:
        fail(it, f"A step was taken up {TRIES} times in vain; those who run this site see why in their log.")
        return None
    return it


def let_go(it: Dataset) -> None:
    """Leave the rest of the work to the next turn."""
    require_transaction()
    run("UPDATE results_dataset SET held_until = NULL WHERE id = %s AND token = %s AND finished_at IS NULL",
        [it.pk, it.token])  # fmt: skip


def hold(it: Dataset, *, stepped: bool = True) -> None:
    """Lock the version's row and say that it is being built; `stepped` where a step ends with this transaction.

    Raises `Lost`.
    """
    require_transaction()
    held = run(
        "UPDATE results_dataset SET held_until = market_now() + make_interval(secs => %s), touched_at = market_now(),"
        " attempts = CASE WHEN %s THEN 0 ELSE attempts END WHERE id = %s AND token = %s AND finished_at IS NULL",
        [HOLD_S, stepped, it.pk, it.token],
    )
    if not held:
        raise Lost


def fail(it: Dataset, words: str) -> None:
    """End the version without an archive; what was made of it goes. Raises `Lost`."""
    hold(it)
    DatasetPart.objects.filter(of=it).delete()
    Dataset.objects.filter(pk=it.pk).update(state=DatasetState.FAILED, error=words[:2_000], finished_at=MarketNow())


def keep(
    it: Dataset,
    kind: PartKind,
    body: bytes,
    *,
    path: str = "",
    stretch: int = 0,
    number: int = 0,
    at: int | None = None,
) -> None:
    """Keep a part, bound as bytes: a text would have each as two digits for the server to parse."""
    prepared(
        "INSERT INTO results_datasetpart (dataset_id, kind, path, stretch, number, at, body)"
        " VALUES (%s, %s, %s, %s, %s, %s, %b)",
        [it.pk, kind.value, path, stretch, number, at, body],
    )

"""New gold from tasks that the crowd is sure of, and the requester's word on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

from marketplace.batches.locks import batch_for_update, lock_tasks
from marketplace.batches.models import Batch
from marketplace.batches.queries import counts
from marketplace.batches.simhash import simhash
from marketplace.batches.states import BatchState
from marketplace.common.database import acting_as, one, rows, value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.projects.interface import ValuesInvalid, clean_key
from workers.gold.events import GoldWaits
from workers.gold.injection import Policy, allowed
from workers.gold.need import Supply, wanted

# Below this a task is not beyond doubt, whatever the caller thinks.
SURE = 0.99


@dataclass(frozen=True)
class Candidate:
    """A task that the crowd agrees on: the answer as a key, and how probable it is."""

    task_id: int
    key: dict[str, Any]
    posterior: float


def offer_keys(*, batch_id: int, found: Sequence[Candidate]) -> int:
    """Make what is left of these tasks gold, the surest first, as far as the batch needs gold; returns of how many.

    Such a task leaves the queue, its open places are paid like all, and nobody is told. Where the policy's `refill` is
    `confirm` it stays an ordinary task until the requester agrees. Nothing becomes gold whose posterior is below 0.99,
    that has no open place, is in quarantine or gold already, is as good as the same as a key that was shown, or whose
    batch has reserved tasks or takes no work; a repeat finds nothing to do. New keys are committed to first. Emits
    `GoldWaits` where the requester is asked.

    Locks batch (FOR UPDATE, so that no claim has the task in sight), tasks, keys: call it before anything that locks
    what a claim holds behind its batch, such as standings.
    """
    require_transaction()
    sure = [candidate for candidate in found if SURE <= candidate.posterior <= 1]
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    policy = Policy(**batch.gold_policy)
    # First without the lock, which everything else that happens to the batch would wait for.
    if not sure or policy.refill == "off" or _missing(batch, policy) == (0, 0):
        return 0
    if batch_for_update(batch_id).state not in (BatchState.PUBLISHED, BatchState.PAUSED):
        return 0
    lock_tasks([candidate.task_id for candidate in sure])
    keys, places = _missing(batch, policy)
    ask = policy.refill == "confirm"
    made = 0
    for candidate in sorted(sure, key=lambda candidate: (-candidate.posterior, candidate.task_id)):
        if keys <= 0 and places <= 0:
            break
        free = _offer(batch, candidate, ask)
        made += free > 0
        keys, places = (keys - 1, places - free) if free else (keys, places)
    if made:
        with acting_as("gold_reader"):
            value("SELECT gold_commit(%s)", [batch_id])
        if ask:
            publish(GoldWaits(batch_id=batch_id))
    return made


def _offer(batch: Batch, candidate: Candidate, ask: bool) -> int:
    """How many places of the task became gold."""
    try:
        key = clean_key(batch.version.interface, candidate.key)
    except ValuesInvalid:
        return 0
    shown = one("SELECT data FROM batches_payload WHERE task_id = %s AND batch_id = %s", [candidate.task_id, batch.pk])
    if shown is None:
        return 0
    with acting_as("gold_reader"):
        return int(
            value(
                "SELECT gold_offer(%s, %s, %s::jsonb, %s, %s, %s)",
                [batch.pk, candidate.task_id, dumps(key), simhash(shown[0]), candidate.posterior, ask],
            )
        )


def _missing(batch: Batch, policy: Policy) -> tuple[int, int]:
    """How many more keys, and places of them, the batch can use; waiting ones count as if they were there."""
    with acting_as("gold_reader"):
        [(keys, ready, shown, places)] = rows(
            "SELECT count(*) FILTER (WHERE g.shown < g.cap AND g.state IN ('live', 'waiting') AND g.why <> 'alike'),"
            " coalesce(sum(g.cap - g.shown) FILTER (WHERE g.state IN ('live', 'waiting') AND g.why <> 'alike'), 0),"
            " coalesce(sum(g.shown), 0), (SELECT l.places FROM batches_tail l WHERE l.batch_id = %s)"
            " FROM batches_goldkey g WHERE g.batch_id = %s",
            [batch.pk, batch.pk],
        )
    now = counts(batch.pk)
    taken = now["leased"] + now["submitted"] + now["accepted"]
    supply = Supply(keys=int(keys), places=int(ready))
    return wanted(
        share=policy.max_share,
        open_places=max(0, int(places) - taken - int(ready)),
        overlap=batch.overlap,
        supply=supply,
        allowance=allowed(policy, places=int(places), spent=int(shown)),
    )

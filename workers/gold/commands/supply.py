"""New gold from tasks that the crowd is sure of, and the requester's word on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
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
# Gold is made for as many tasks to come as this, and not for the whole batch: what is made is used at once.
AHEAD = 256


@dataclass(frozen=True)
class Candidate:
    """A task that the crowd agrees on: the answer as a key, and how probable it is."""

    task_id: int
    key: dict[str, Any]
    posterior: float


def offer_keys(*, batch_id: int, found: Sequence[Candidate]) -> int:
    """Make what is left of some of these tasks gold, as far as the batch needs gold; returns of how many.

    Each task has one chance, as large as the share of gold: workers see which tasks they agree on, and of those no
    larger part may be gold than of all. Of those that drew it the surest come first. Such a task leaves the queue, its
    open places are paid like all, and nobody is told. Where the policy's `refill` is `confirm` it stays an ordinary
    task until the requester agrees. Nothing becomes gold whose posterior is below 0.99, that has no open place, is in
    quarantine or gold already, is as good as the same as a key that was shown, or whose batch has reserved tasks or
    takes no work; a repeat finds nothing to do. New keys are committed to first. Emits `GoldWaits` where the requester
    is asked.

    Locks batch (FOR UPDATE, so that no claim has the task in sight), tasks, keys: call it before anything that locks
    what a claim holds behind its batch, such as standings.
    """
    require_transaction()
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    policy = Policy(**batch.gold_policy)
    sure = drawn_for_gold(batch, policy, [candidate for candidate in found if SURE <= candidate.posterior <= 1])
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


def drawn_for_gold(batch: Batch, policy: Policy, sure: list[Candidate]) -> list[Candidate]:
    """Those that drew gold, by the secret of the batch's first commitment: asking again changes nothing."""
    if not sure:
        return []
    with acting_as("gold_reader"):
        seed = bytes(value("SELECT seed FROM gold_commitment WHERE batch_id = %s AND seq = 1", [batch.pk]))

    def lot(task_id: int) -> float:
        return int.from_bytes(blake2b(b"%d" % task_id, digest_size=8, key=seed).digest(), "big") / 2**64

    return [candidate for candidate in sure if lot(candidate.task_id) < policy.usual_share]


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
        open_places=min(max(0, int(places) - taken - int(ready)), AHEAD * batch.overlap),
        overlap=batch.overlap,
        supply=supply,
        allowance=allowed(policy, places=int(places), spent=int(shown)),
    )

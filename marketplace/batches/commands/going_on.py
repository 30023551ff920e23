"""Going on with new terms: what was promised never changes, so a batch is stopped and another does the rest."""

from dataclasses import replace

from marketplace.batches.audience import together
from marketplace.batches.commands.create import Terms, create_batch
from marketplace.batches.commands.imports import begin_import
from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.commands.pilots import COPY, gold_among, named, same_terms
from marketplace.batches.costs import Platform
from marketplace.batches.errors import WrongState
from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch, Import
from marketplace.batches.queries import Lacks, held_by, keys_in, lacks
from marketplace.batches.states import BatchState, ImportState
from marketplace.common.database import MarketNow, rows
from marketplace.common.transactions import require_transaction

# As many as are queued in one transaction of some seconds; what is more is left for another time.
BROUGHT_MAX = 100_000


def go_on(
    *,
    batch_id: int,
    platform: Platform,
    name: str = "",
    price_micros: int | None = None,
    time_limit_s: int | None = None,
    new_workers: bool | None = None,
    quarantined: bool = False,
) -> Batch:
    """Stop a batch, and make a draft of the same version that goes on with what it leaves undone, under its terms but
    for those that are given, and under what the platform asks now; returns the draft.

    The batch is closed at once, and in the same transaction its places that nobody has are copied: each task with as
    many places as it lacks. So nothing is bought twice: from then on nobody can take a place of the old batch, nor come
    back to one that he let go. What is under way stays there and is counted as had: who holds a task may still send it,
    answers are decided and paid as always, and money that is not needed comes back by `release_unneeded` and `settle`.
    And nothing is lost: a place that falls free there later, by a lease that ends or an answer that is rejected, is
    lacking again, and a repeat makes another draft of exactly those. To close it no sooner than the draft is published
    would let people take places that are copied already.

    A batch that has ended is left as it is. What its draft had is lacking again once that is given up unpublished.
    Tasks in quarantine come with `quarantined` only; reservations are not copied, and those tasks stay. Of the
    requester's keys those come that nobody was shown, as many as hide among the tasks: one that was shown is gold in no
    other batch. With `new_workers` nobody who took work in the old batch may enter, so that all answers to a task are
    of different people; by default where a task that comes has answers. At most `BROUGHT_MAX` tasks come at once.

    Locks the batch; claims and decisions wait. Emits `BatchClosing`. Raises `WrongState` for what was never published,
    `TermsInvalid`.
    """
    require_transaction()
    batch = batch_for_update(batch_id)
    if batch.published_at is None:
        raise WrongState("Only a batch that was published is gone on with; change a draft itself.", state=batch.state)
    if batch.state in (BatchState.PUBLISHED, BatchState.PAUSED):
        batch = close_batch(batch_id=batch.pk)
    found = lacks(batch)
    begun = found.begun + (found.quarantined_begun if quarantined else 0)
    terms = same_terms(batch, platform, name=name or _name(batch))
    if price_micros is not None:
        terms = replace(terms, price_micros=price_micros)
    if time_limit_s is not None:
        terms = _with_time(terms, time_limit_s)
    if begun > 0 if new_workers is None else new_workers:
        others = {"not": {"batch": {"id": str(batch.public_id)}}}
        terms = replace(terms, audience=together(terms.audience, others))
    made = create_batch(project=batch.project, version=batch.version, terms=terms, platform=platform, continues=batch)
    _bring_over(batch, made, found, quarantined=quarantined)
    return Batch.objects.select_related("requester", "project", "version", "continues").get(pk=made.pk)


def _with_time(terms: Terms, time_limit_s: int) -> Terms:
    """A lease that may last no longer than before may last for the new time at least."""
    longest = None if terms.lease_max_s is None else max(terms.lease_max_s, time_limit_s)
    return replace(terms, time_limit_s=time_limit_s, lease_max_s=longest)


def _name(batch: Batch) -> str:
    """One that goes on with one that went on has the same name."""
    return batch.name if batch.continues_id else named(batch.name, "continued")


def _bring_over(batch: Batch, made: Batch, found: Lacks, *, quarantined: bool) -> None:
    items = min(found.tasks + (found.quarantined if quarantined else 0), BROUGHT_MAX)
    keys = keys_in(batch)
    gold = min(found.gold, gold_among(items, gold=keys, ordinary=held_by(batch).tasks - keys))
    if not items and not gold:
        return
    it = begin_import(batch=made, state=ImportState.RUNNING, kind=COPY)
    [(tasks, gold_tasks, places)] = rows(
        "SELECT tasks, gold_tasks, places FROM batches_bring_over(%s, %s, %s, %s, %s)",
        [batch.pk, made.pk, quarantined, gold, BROUGHT_MAX],
    )
    Import.objects.filter(pk=it.pk).update(
        state=ImportState.DONE,
        rows_read=tasks,
        tasks=tasks,
        gold_tasks=gold_tasks,
        places=places,
        finished_at=MarketNow(),
    )

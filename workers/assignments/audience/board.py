"""To whom the batches that take work are closed, and why: of all of them to one worker, and of one to many."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.accounts.models import STOPPING, Member, Sanction
from marketplace.accounts.queries import live_sanctions
from marketplace.batches.models import Batch
from marketplace.batches.queries import running_batches
from marketplace.common.database import rows
from workers.assignments.audience.eligibility import refusals_in, refusals_of
from workers.assignments.audience.sanctions import closed_by, stops_of

OWN = "Nobody works on a batch of his own organisation."


@dataclass(frozen=True)
class Closure:
    """Why a batch is closed to a worker, in words: it is of his `own` organisation, a `sanction` closes it, or it asks
    for what he does not have (`audience`): `lacks` are the names of those conditions, as `country`. `opens_at` is when
    it opens to him by itself."""

    why: str
    words: str
    lacks: tuple[str, ...] = ()
    opens_at: datetime | None = None


def closures(batches: Sequence[Batch], *, worker_id: int, device: str | None = None) -> dict[int, Closure]:
    """Which of the batches are closed to the worker, and why, by internal id.

    Limits of how much one may do are not looked at: a claim says those. A fixed number of statements.
    """
    if not batches:
        return {}
    own = {
        row[0]
        for row in rows(
            "SELECT m.requester_id FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
            " JOIN accounts_member m ON m.user_id = w.user_id WHERE me.id = %s",
            [worker_id],
        )
    }
    stops = stops_of(worker_id)
    refused = refusals_in(batches, worker_id=worker_id, device=device)
    found = {}
    for batch in batches:
        if batch.requester_id in own:
            found[batch.pk] = Closure("own", OWN)
        elif stopped := closed_by(stops, batch):
            found[batch.pk] = Closure("sanction", stopped)
        elif refusal := refused.get(batch.pk):
            found[batch.pk] = Closure("audience", refusal.words, refusal.lacks, refusal.opens_at)
    return found


def may_take(
    worker_id: int, batch_ids: Collection[int] | None = None, *, device: str | None = None
) -> dict[str, str | None]:
    """Why each of the batches on the board (of these ids, or all) is closed to the worker, by public id; None where it
    is open. A fixed number of statements."""
    found = running_batches() if batch_ids is None else running_batches().filter(pk__in=batch_ids)
    batches = list(found.order_by("pk"))
    closed = closures(batches, worker_id=worker_id, device=device)
    return {str(batch.public_id): closed[batch.pk].words if batch.pk in closed else None for batch in batches}


def closed_to(batch_id: int, worker_ids: Collection[int]) -> dict[int, str]:
    """To which of the workers the batch is closed, and why, as `may_take` says it of one; devices are those last seen.

    For a batch that changes under the eyes of many: a fixed number of statements, however many they are. Raises
    `Batch.DoesNotExist`.
    """
    batch = Batch.objects.get(pk=batch_id)
    wanted = sorted(set(worker_ids))
    accounts: dict[int, set[int]] = {worker: set() for worker in wanted}
    for worker, user in rows(
        "SELECT me.id, w.user_id FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
        " WHERE me.id = ANY (%s)",
        [wanted],
    ):
        accounts[worker].add(user)
    members = set(Member.objects.filter(requester_id=batch.requester_id).values_list("user_id", flat=True))
    stops: dict[int, list[Sanction]] = {}
    for stop in live_sanctions(sorted(set().union(*accounts.values())), measures=STOPPING):
        stops.setdefault(stop.user_id, []).append(stop)
    refused = refusals_of(batch, worker_ids=wanted)
    found = {}
    for worker, users in accounts.items():
        mine = [stop for user in users & stops.keys() for stop in stops[user]]
        why = OWN if users & members else closed_by(mine, batch)
        if why or worker in refused:
            found[worker] = why or refused[worker].words
    return found

"""Whether a sanction closes batches to a worker, for the board; a claim need not ask, the database says it."""

from collections.abc import Sequence

from marketplace.accounts.models import STOPPING, Sanction, Where
from marketplace.accounts.queries import live_sanctions
from marketplace.batches.models import Batch
from workers.profiles.queries import users_of_person


def stops_of(worker_id: int) -> list[Sanction]:
    """The limits and bans in force against the worker's person; usually none."""
    return list(live_sanctions(users_of_person(worker_id), measures=STOPPING))


def closed_by(stops: Sequence[Sanction], batch: Batch) -> str | None:
    """Why the batch is closed to somebody under these sanctions, in words, or None; the one that lasts longest."""
    reached = {
        Where.BATCH: batch.pk,
        Where.PROJECT: batch.project_id,
        Where.REQUESTER: batch.requester_id,
        Where.PLATFORM: None,
    }
    here = [stop for stop in stops if reached[Where(stop.scope)] == stop.scope_id]
    return words_of_stop(max(here, key=lambda stop: stop.expires_at)) if here else None


def words_of_stop(stop: Sanction) -> str:
    """What he reads."""
    return f"{stop.words} It is closed to you until {stop.expires_at:%Y-%m-%d %H:%M:%S UTC}."

"""A requester's lists of workers, to let in or to keep out."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.common.database import one, run
from marketplace.common.transactions import require_transaction
from workers.profiles.errors import NameTaken
from workers.profiles.locks import list_for_update
from workers.profiles.models import WorkerList


@dataclass(frozen=True)
class Changed:
    """How many workers came onto a list and how many left it."""

    added: int
    removed: int


def create_list(*, requester_id: int, name: str, description: str = "") -> WorkerList:
    """An empty list of the requester. Raises `NameTaken`."""
    require_transaction()
    made = one(
        "INSERT INTO profiles_workerlist (requester_id, public_id, name, description)"
        " VALUES (%s, gen_random_uuid(), %s, %s) ON CONFLICT (requester_id, name) DO NOTHING RETURNING id",
        [requester_id, name, description],
    )
    if made is None:
        raise NameTaken("The organisation has a list of this name.", name=name)
    return WorkerList.objects.get(pk=made[0])


def change_list(*, worker_list: WorkerList, add: Sequence[int], remove: Sequence[int], by: int) -> Changed:
    """Take workers off the list, then put workers onto it; who is on it, or off it, already is passed over.

    They come onto it in the order in which they are named: that of accounts would tell them apart (R43). Two statements
    however many there are. Locks: list.
    """
    require_transaction()
    list_for_update(worker_list.pk)
    removed = run(
        "UPDATE profiles_listmember SET removed_at = market_now(), removed_by_id = %s"
        " WHERE list_id = %s AND worker_id = ANY(%s) AND removed_at IS NULL",
        [by, worker_list.pk, sorted(set(remove))],
    )
    added = run(
        "INSERT INTO profiles_listmember (list_id, worker_id, added_by_id)"
        " SELECT %s, w.id, %s FROM unnest(%s::bigint[]) WITH ORDINALITY AS w (id, place) ORDER BY w.place"
        " ON CONFLICT (list_id, worker_id) WHERE removed_at IS NULL DO NOTHING",
        [worker_list.pk, by, list(dict.fromkeys(add))],
    )
    return Changed(added, removed)

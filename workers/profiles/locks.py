"""The only place of this app that locks rows."""

from workers.profiles.models import Worker


def worker_for_update(worker_id: int) -> Worker:
    """The worker under FOR NO KEY UPDATE: his claims and submits run one after the other.

    The first lock of every transaction that takes one. Raises `Worker.DoesNotExist` for an id that is no worker's.
    """
    return Worker.objects.select_for_update(no_key=True, of=("self",)).get(pk=worker_id)

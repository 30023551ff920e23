"""Reads of workers."""

from collections.abc import Iterable

from workers.profiles.models import Pseudonym, Worker


def worker_of(user_id: int) -> Worker | None:
    """The worker that this user is, if he is one."""
    return Worker.objects.filter(user_id=user_id).first()


def workers_by_pseudonym(requester_id: int, codes: Iterable[str]) -> dict[str, int]:
    """Worker ids by this requester's pseudonyms; a code that is unknown, or another requester's, is left out."""
    found = Pseudonym.objects.filter(requester_id=requester_id, code__in=list(set(codes)))
    return dict(found.values_list("code", "worker_id"))


def known_pseudonyms(requester_id: int, worker_ids: Iterable[int]) -> dict[int, str]:
    """Pseudonyms by worker id, of those who have one with this requester."""
    found = Pseudonym.objects.filter(requester_id=requester_id, worker_id__in=list(set(worker_ids)))
    return dict(found.values_list("worker_id", "code"))

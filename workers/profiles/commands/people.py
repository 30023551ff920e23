"""Becoming a worker, what he says of himself, and the names under which requesters know him."""

import secrets
from collections.abc import Iterable, Sequence

from marketplace.common.database import one, rows, run
from marketplace.common.transactions import require_transaction
from workers.profiles.errors import AlreadyWorker
from workers.profiles.models import Worker
from workers.profiles.queries import known_pseudonyms


def become_worker(
    *,
    user_id: int,
    country: str = "",
    languages: Sequence[str] = (),
    content: Sequence[str] = (),
    of_age: bool = False,
) -> Worker:
    """Make the user a worker; with `of_age` he says that he is. Raises `AlreadyWorker` if he is one, with his id among
    the facts."""
    require_transaction()
    # The unique index decides, so that two requests at once cannot both make one.
    made = one(
        "INSERT INTO profiles_worker (user_id, public_id, country, languages, content, of_age_at)"
        " VALUES (%s, gen_random_uuid(), %s, %s, %s, CASE WHEN %s THEN market_now() END)"
        " ON CONFLICT (user_id) DO NOTHING RETURNING id",
        [user_id, country, list(languages), sorted(set(content)), of_age],
    )
    if made is None:
        raise AlreadyWorker(
            "This account is a worker already.", worker=str(Worker.objects.get(user_id=user_id).public_id)
        )
    return Worker.objects.get(pk=made[0])


def ensure_workers(*, user_ids: Iterable[int]) -> int:
    """Make workers of those users who are none yet, in one statement; returns how many were made."""
    require_transaction()
    made = rows(
        "INSERT INTO profiles_worker (user_id, public_id, country, languages)"
        " SELECT u, gen_random_uuid(), '', '{}' FROM unnest(%s::bigint[]) AS u"
        " ON CONFLICT (user_id) DO NOTHING RETURNING id",
        [sorted(set(user_ids))],
    )
    return len(made)


def update_profile(
    *,
    worker_id: int,
    country: str | None = None,
    languages: Sequence[str] | None = None,
    content: Sequence[str] | None = None,
    of_age: bool = False,
) -> Worker:
    """Change what the worker says of himself; None leaves it as it is, and the first time that he says to be of age is
    kept. Claims from now on see the new profile."""
    require_transaction()
    run(
        "UPDATE profiles_worker SET country = coalesce(%s, country), languages = coalesce(%s::text[], languages),"
        " content = coalesce(%s::text[], content),"
        " of_age_at = coalesce(of_age_at, CASE WHEN %s THEN market_now() END) WHERE id = %s",
        [
            country,
            None if languages is None else list(languages),
            None if content is None else sorted(set(content)),
            of_age,
            worker_id,
        ],
    )
    return Worker.objects.get(pk=worker_id)


def note_device(*, worker_id: int, device: str) -> None:
    """Keep the class of device that the worker was last seen with."""
    require_transaction()
    run("UPDATE profiles_worker SET device = %s WHERE id = %s AND device <> %s", [device, worker_id, device])


def pseudonym_for(*, worker_id: int, requester_id: int) -> str:
    """The name under which this requester knows this worker: made at first use, the same ever after."""
    return pseudonyms(requester_id=requester_id, worker_ids=[worker_id])[worker_id]


def pseudonyms(*, requester_id: int, worker_ids: Iterable[int]) -> dict[int, str]:
    """Names by worker id, for one requester; missing ones are made by one statement. Safe beside its own twin."""
    require_transaction()
    wanted = set(worker_ids)
    known = known_pseudonyms(requester_id, wanted)
    missing = sorted(wanted - known.keys())
    if not missing:
        return known
    # DO NOTHING waits for a twin that inserts the same pair and then leaves his row; so read all of them again.
    rows(
        "INSERT INTO profiles_pseudonym (requester_id, worker_id, code)"
        " SELECT %s, m.worker_id, m.code FROM unnest(%s::bigint[], %s::text[]) AS m (worker_id, code)"
        " ON CONFLICT (requester_id, worker_id) DO NOTHING RETURNING id",
        [requester_id, missing, [new_code() for _ in missing]],
    )
    return known | known_pseudonyms(requester_id, missing)


def new_code() -> str:
    """`w_` and 22 characters: 128 random bits that say nothing about anybody."""
    return f"w_{secrets.token_urlsafe(16)}"

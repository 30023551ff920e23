"""Make the people of a run through the product's own commands, in a process of its own: python -m tests.torture.cast …

Signing up over HTTP would spend most of a short run on hashing passwords, and accounts are not under torture.
"""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

import django

django.setup()

from allauth.account.models import EmailAddress  # noqa: E402
from django.db import connections  # noqa: E402

from marketplace.accounts.commands import create_key, ensure_staff, found_requester  # noqa: E402
from marketplace.accounts.models import User  # noqa: E402
from marketplace.accounts.second_factor import Proof  # noqa: E402
from marketplace.common.database import as_owner  # noqa: E402
from marketplace.common.transactions import one_transaction  # noqa: E402
from marketplace.ledger.addresses import earned_by  # noqa: E402
from marketplace.ledger.commands import Move, move  # noqa: E402
from marketplace.payouts.commands.destinations import add_destination  # noqa: E402
from tests.torture.stage import CURRENCY, FRESH_WORKERS, Person, Stage  # noqa: E402
from workers.profiles.commands import ensure_workers  # noqa: E402
from workers.profiles.queries import worker_of  # noqa: E402

EARNED_MICROS = 20_000_000


def _user(name: str) -> User:
    user = User.objects.create(email=f"{name}@torture.example", name=name)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def _key(user: User, scope: str) -> str:
    return create_key(user=user, name="torture", scopes=[scope], at_console=True)[1]


def _someone(name: str) -> Person:
    user = _user(name)
    return Person(name, _key(user, "requester"), str(user.public_id))


def _worker(name: str, user: User | None = None) -> Person:
    user = user or _user(name)
    ensure_workers(user_ids=[user.pk])
    worker = worker_of(user.pk)
    assert worker is not None
    return Person(name, _key(user, "worker"), str(worker.public_id))


def _requester(name: str, user: User | None = None) -> Person:
    user = user or _user(name)
    member = found_requester(user_id=user.pk, name=name)
    return Person(name, _key(user, "requester"), str(member.requester.public_id))


def cast(*, requesters: int, workers: int, overlap: int, tasks: int) -> Stage:
    """Everybody with his key. Nobody has money or work yet."""
    with as_owner(), one_transaction(principal="console"):
        staff, second = (ensure_staff(email=f"{name}@torture.example", name=name) for name in ("staff", "second"))
    with one_transaction(principal="torture"):
        owner = _user("arena")
        stage = Stage(
            staff=Person("staff", _key(staff, "staff"), ""),
            second=Person("second", _key(second, "staff"), ""),
            requesters=[_requester(f"requester-{number}") for number in range(requesters)],
            workers=[_worker(f"worker-{number}") for number in range(workers)],
            fresh=[_worker(f"fresh-{number}") for number in range(overlap + FRESH_WORKERS)],
            arena=_requester("arena", owner),
            arena_owner_worker=_worker("arena", owner).id,
            arena_workers=[_worker(f"arena-{number}") for number in range(2)],
            colleague=_someone("colleague"),
            clerk=_someone("clerk"),
            overlap=overlap,
            tasks=tasks,
        )
    stage.memory["destinations"] = _destinations([*stage.workers, stage.arena_workers[0]])
    return stage


def _destinations(workers: list[Person]) -> dict[str, str]:
    """Each worker has earned something before, and said three days ago where it shall be paid to."""
    with connections["owner"].cursor() as owner:
        owner.execute("SELECT pg_get_functiondef('market_now()'::regprocedure)")
        ((clock,),) = owner.fetchall()
        owner.execute(clock.replace("clock_timestamp()", "clock_timestamp() - interval '73 hours'"))
    try:
        with one_transaction(principal="torture"):
            made = {person.name: _destination(person, number) for number, person in enumerate(workers)}
    finally:
        with connections["owner"].cursor() as owner:
            owner.execute(clock)
    with one_transaction(principal="torture"):
        move(
            [
                Move(
                    f"earned:{person.name}",
                    "reward",
                    "outside:bank",
                    earned_by(UUID(person.id)),
                    CURRENCY,
                    EARNED_MICROS,
                )
                for person in workers
            ]
        )
    return made


def _destination(person: Person, number: int) -> str:
    user = User.objects.get(email=f"{person.name}@torture.example")
    added = add_destination(
        user_id=user.pk,
        provider="manual",
        currency=CURRENCY,
        details={"name": person.name, "account": f"account {number:05d}"},
        proof=Proof(user.pk, number),
    )
    return str(added.public_id)


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[2:6]]
    cast(requesters=numbers[0], workers=numbers[1], overlap=numbers[2], tasks=numbers[3]).write(Path(sys.argv[1]))

"""Workers are strangers to requesters (R43)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api_client import Api, code_of, key_for, signed_up
from workers.profiles.commands import become_worker, ensure_workers, pseudonym_for, pseudonyms
from workers.profiles.errors import AlreadyWorker
from workers.profiles.models import Pseudonym, Worker
from workers.profiles.queries import workers_by_pseudonym


def test_a_pseudonym_stays_and_differs_for_each_requester(db: None) -> None:
    worker, acme, other = make.make_worker(), make.make_requester(0), make.make_requester(0)

    with one_transaction(principal="test"):
        first, again = (pseudonym_for(worker_id=worker.pk, requester_id=acme.pk) for _ in range(2))
        elsewhere = pseudonym_for(worker_id=worker.pk, requester_id=other.pk)

    assert first == again != elsewhere
    assert re.fullmatch(r"w_[A-Za-z0-9_-]{22}", first)
    assert workers_by_pseudonym(acme.pk, [first, elsewhere, "w_unknown"]) == {first: worker.pk}


def test_many_are_named_at_once_and_known_ones_keep_their_names(db: None) -> None:
    workers, acme = [make.make_worker() for _ in range(5)], make.make_requester(0)
    with one_transaction(principal="test"):
        known = pseudonym_for(worker_id=workers[2].pk, requester_id=acme.pk)

        names = pseudonyms(requester_id=acme.pk, worker_ids=[worker.pk for worker in workers])

    assert set(names) == {worker.pk for worker in workers}
    assert names[workers[2].pk] == known
    assert len(set(names.values())) == 5


def test_twins_at_once_agree_on_one_name(committed: str, together: Callable[..., list[Any]]) -> None:
    workers, acme = [make.make_worker() for _ in range(3)], make.make_requester(0)

    def name_them() -> dict[int, str]:
        with one_transaction(principal="test"):
            return pseudonyms(requester_id=acme.pk, worker_ids=[worker.pk for worker in workers])

    named = together([name_them] * 6)

    assert all(names == named[0] for names in named)
    assert Pseudonym.objects.count() == 3


@pytest.mark.parametrize(
    "attack", ["UPDATE profiles_pseudonym SET code = 'w_aaaaaaaaaaaaaaaaaaaaaa'", "DELETE FROM profiles_pseudonym"]
)
def test_a_pseudonym_is_for_ever(db: None, attack: str) -> None:
    with one_transaction(principal="test"):
        pseudonym_for(worker_id=make.make_worker().pk, requester_id=make.make_requester(0).pk)

    with pytest.raises(DatabaseError), transaction.atomic():
        run(attack)


def test_a_name_that_says_something_is_refused(db: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Pseudonym.objects.create(worker=make.make_worker(), requester=make.make_requester(0), code="w_ada")


def test_one_person_is_one_worker(db: None) -> None:
    user = signed_up()
    api = Api(key_for(user, "worker"))

    before = api.get("/worker")
    made = api.post("/workers", {"country": "DE", "languages": ["de", "en-GB"]})
    twice = api.post("/workers", {"country": "FR"})

    assert (before.status_code, code_of(before)) == (403, "not-a-worker")
    assert made.status_code == 201
    assert api.get("/worker").json() == made.json()
    assert (made.json()["country"], made.json()["languages"]) == ("DE", ["de", "en-GB"])
    assert (twice.status_code, code_of(twice)) == (409, "already-worker")
    assert twice.json()["worker"] == made.json()["id"]


def test_of_two_who_become_one_worker_at_once_one_is_told_so(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    user = signed_up()

    def become() -> Worker:
        with one_transaction(principal="test"):
            return become_worker(user_id=user.pk)

    outcomes = together([become] * 4)

    assert sum(isinstance(outcome, AlreadyWorker) for outcome in outcomes) == 3
    assert Worker.objects.count() == 1


def test_ensuring_workers_twice_makes_them_once(db: None) -> None:
    users = [signed_up().pk for _ in range(3)]

    with one_transaction(principal="test"):
        made = [ensure_workers(user_ids=users), ensure_workers(user_ids=users)]

    assert made == [3, 0]


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"country": "de"}, "country"),
        ({"country": 49}, "country"),
        ({"languages": "de"}, "languages"),
        ({"languages": ["not a language"]}, "languages.0"),
        ({"languages": [1]}, "languages"),
    ],
)
def test_a_wrong_profile_is_refused_by_field(db: None, ask: dict[str, Any], field: str) -> None:
    response = Api(key_for(signed_up(), "worker")).post("/workers", ask)

    assert (response.status_code, code_of(response)) == (422, "invalid")
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_worker_hands_his_name_to_a_requester(db: None) -> None:
    worker, acme = make.make_worker(), make.make_requester(0)
    api = Api(key_for(worker.user, "worker"))

    introduced = [api.post("/worker/introductions", {"requester": str(acme.public_id)}) for _ in range(2)]

    assert introduced[0].status_code == 201
    assert introduced[0].json() == introduced[1].json()
    code = introduced[0].json()["pseudonym"]
    assert workers_by_pseudonym(acme.pk, [code]) == {code: worker.pk}


def test_there_is_nobody_to_introduce_oneself_to(db: None) -> None:
    worker = make.make_worker()

    response = Api(key_for(worker.user, "worker")).post(
        "/worker/introductions", {"requester": "00000000-0000-4000-8000-000000000000"}
    )

    assert (response.status_code, code_of(response)) == (404, "not-found")

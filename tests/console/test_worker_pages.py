"""Skills, qualifications and lists of workers, made and kept on the console."""

from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from tests import factories as make
from tests.api.market import Market, make_market
from tests.console.members import member, send
from tests.web.visitors import text_of
from workers.profiles.models import Grant, ListMember, Skill, WorkerList

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return make_market()


def at(market: Market, name: str = "console_workers", *more: Any) -> str:
    return reverse(name, args=[market.requester.public_id, *more])


def test_a_qualification_is_made_given_for_a_while_and_taken_back_with_reasons(market: Market) -> None:
    manager = member(market.requester, "manager")
    made = send(manager, at(market), act="skill", kind="qualification", name="Birds", description="Knows birds.")
    birds = Skill.objects.get(name="Birds")
    page = at(market, "console_skill", birds.public_id)
    assert (made.status_code, made["Location"], birds.kind) == (303, page, "qualification")
    assert "How much of it" not in text_of(manager.get(page))

    given = send(manager, page, act="grant", worker=market.known, evidence="Passed our exam.", days="30")

    assert given.status_code == 303
    grant = Grant.objects.get(skill=birds)
    assert (grant.worker_id, grant.value, grant.evidence) == (market.worker.pk, None, "Passed our exam.")
    assert grant.expires_at is not None
    assert round((grant.expires_at - grant.granted_at).total_seconds() / 86_400) == 30
    text = text_of(manager.get(page))
    assert market.known in text and "Passed our exam." in text

    send(manager, page, act="revoke", worker=market.known, reason="It was a mistake.")

    grant.refresh_from_db()
    assert grant.revoked_reason == "It was a mistake."
    assert "Nobody yet." in text_of(manager.get(page))
    again = send(manager, page, act="revoke", worker=market.known, reason="Again.")
    assert (again.status_code, "does not hold this now" in text_of(again)) == (422, True)


def test_a_skill_is_held_to_a_degree_and_what_is_wrong_is_said_at_its_field(market: Market) -> None:
    manager = member(market.requester, "manager")
    page = at(market, "console_skill", market.skill.public_id)
    for said, words in (
        ({"worker": market.known, "value": "1.5", "evidence": "x"}, "less than or equal to 1"),
        ({"worker": "W-nobody", "value": "0.5", "evidence": "x"}, "no worker that you know"),
        ({"worker": market.known, "value": "0.5", "evidence": ""}, "This field is required"),
    ):
        refused = send(manager, page, act="grant", **said)
        assert (refused.status_code, words in text_of(refused)) == (422, True), said
    assert not Grant.objects.filter(skill=market.skill).exists()

    send(manager, page, act="grant", worker=market.known, value="0.75", evidence="Seen.")

    assert Grant.objects.get(skill=market.skill).value == 0.75
    assert "0.75" in text_of(manager.get(page))


def test_workers_come_onto_a_list_by_their_names_and_leave_it(market: Market) -> None:
    manager = member(market.requester, "manager")
    send(manager, at(market), act="list", name="Best", description="")
    best = WorkerList.objects.get(name="Best")
    page = at(market, "console_worker_list", best.public_id)

    wrong = send(manager, page, act="add", workers=f"{market.known}\nW-nobody")
    assert (wrong.status_code, "no worker that you know" in text_of(wrong)) == (422, True)
    assert not ListMember.objects.filter(list=best).exists()

    added = send(manager, page, act="add", workers=f"{market.known}, {market.known}")
    assert added.status_code == 303
    assert [one.worker_id for one in ListMember.objects.filter(list=best, removed_at=None)] == [market.worker.pk]
    assert "1 worker came onto the list." in text_of(manager.get(page))

    send(manager, page, act="remove", worker=market.known)
    assert not ListMember.objects.filter(list=best, removed_at=None).exists()


def test_names_are_taken_once_and_viewers_change_nothing(market: Market) -> None:
    manager, viewer = member(market.requester, "manager"), member(market.requester, "viewer")
    taken = send(manager, at(market), act="skill", kind="skill", name=market.skill.name, description="")
    assert (taken.status_code, "of this name" in text_of(taken)) == (422, True)
    page = viewer.get(at(market))
    assert market.skill.name in text_of(page) and "Make one" not in text_of(page)
    body = {"form_key": "k" * 20, "act": "list", "name": "Mine", "description": ""}
    refused = viewer.post(at(market), body)
    assert (refused.status_code, WorkerList.objects.filter(name="Mine").exists()) == (422, False)
    body = {"form_key": "k" * 20, "act": "grant", "worker": market.known, "value": "1", "evidence": "x"}
    assert viewer.post(at(market, "console_skill", market.skill.public_id), body).status_code == 422
    assert not Grant.objects.filter(skill=market.skill).exists()


def test_what_is_anothers_is_not_there(market: Market) -> None:
    other = make_market()
    manager = member(market.requester, "manager")
    for name, theirs in (("console_skill", other.skill), ("console_worker_list", other.worker_list)):
        assert manager.get(at(market, name, theirs.public_id)).status_code == 404
        assert manager.get(at(market, name, uuid4())).status_code == 404
        assert manager.get(reverse(name, args=[other.requester.public_id, theirs.public_id])).status_code == 404
    known = make.make_worker()
    page = text_of(manager.get(at(market, "console_worker_list", market.worker_list.public_id)))
    assert str(known.public_id) not in page and str(market.worker.public_id) not in page

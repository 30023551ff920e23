"""Whoever has a part in a matter is told so before he writes his reasons, and who was named to judge is said."""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.models import Sanction, User
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import in_one
from tests.api.market import make_appeal, make_review
from tests.payouts import people
from tests.staff.desk import at_desk, desk, make_staff
from tests.web.visitors import text_of
from workers.appeals.commands.open import contest_sanction, name_adjudicator
from workers.profiles.commands.links import link_accounts
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
WORDS = "You have a part in the matter, by this account or another of yours. Somebody else of the staff decides."


def also_staff(user: User) -> Client:
    """Somebody's account that is of the staff from now on, at his browser."""
    in_one(ensure_staff, email=user.email)
    people.enrol(user)
    user.refresh_from_db()
    return at_desk(user)


def limited(by: User) -> tuple[Worker, Sanction]:
    worker = make.make_worker()
    with one_transaction(principal="test"):
        sanction = impose(
            user_id=worker.user_id, scope="platform", scope_id=None, measure="limit", reason="haste",
            words="Too fast.", evidence={"note": "one second each"}, life=timedelta(days=7), made_by=by.pk,
        )  # fmt: skip
    return worker, sanction


def refused(client: Client, at: str, **fields: Any) -> None:
    """The page has words and no form, and takes none."""
    page = client.get(at)
    assert WORDS in text_of(page)
    assert 'name="reason"' not in page.content.decode() and 'name="form_key"' not in page.content.decode()
    sent = client.post(at, {"form_key": secrets.token_urlsafe(16), **fields})
    assert sent.status_code == 422 and WORDS in text_of(sent)


def offered(client: Client, at: str) -> str:
    page = client.get(at)
    assert 'name="reason"' in page.content.decode() and WORDS not in text_of(page)
    return text_of(page)


def test_who_imposed_a_limit_or_is_limited_sees_no_form_to_judge_the_appeal() -> None:
    by = make_staff("quality")
    worker, sanction = limited(by)
    appeal = in_one(contest_sanction, worker_id=worker.pk, sanction=sanction.public_id, words="I read fast.")
    at = f"/staff/appeals/{appeal.public_id}/"
    for client in (at_desk(by), also_staff(worker.user)):
        refused(client, at, what="decide", decision="uphold", reason="So.")
        refused(client, at, what="adjudicator", email=make.make_user().email, reason="So.")
    offered(desk("support"), at)
    appeal.refresh_from_db()
    assert (appeal.state, appeal.adjudicator_id) == ("open", None)


def test_it_is_said_who_was_named_to_judge_and_that_others_may(market: Any) -> None:
    appeal, named, other = make_appeal(market), make_staff("quality"), make_staff("support")
    at = f"/staff/appeals/{appeal.public_id}/"
    assert "named to judge" not in offered(at_desk(other), at)
    in_one(name_adjudicator, appeal=appeal.public_id, adjudicator_id=named.pk, by=other.pk, reason="Knows cats.")

    shown = offered(at_desk(other), at)
    assert f"{named.email} was named to judge this." in shown
    assert "You may decide all the same, as all of the staff may who have no part in it." in shown
    assert "You were named to judge this." in offered(at_desk(named), at)


def test_nobody_is_shown_a_form_about_his_own_limits() -> None:
    worker, sanction = limited(make_staff("quality"))
    own = also_staff(worker.user)
    lift = f"/staff/people/sanctions/{sanction.public_id}/lift/"
    impose_at = f"/staff/people/workers/{worker.public_id}/sanction/"
    refused(own, lift, reason="It was not I.")
    assert WORDS in text_of(own.get(impose_at)) and 'name="words"' not in own.get(impose_at).content.decode()
    offered(desk("support"), lift)
    offered(desk("support"), impose_at)
    sanction.refresh_from_db()
    assert (sanction.lifted_at, Sanction.objects.filter(user=worker.user).count()) == (None, 1)


def test_nobody_is_shown_a_form_about_links_of_his_own_accounts() -> None:
    worker, other = make.make_worker(), make.make_worker()
    with one_transaction(principal="test"):
        by = ensure_staff(email=make.make_user().email).pk
        link = link_accounts(workers=[worker.public_id, other.public_id], reason="one phone", by=by)
    own, at = also_staff(worker.user), f"/staff/people/workers/{other.public_id}/link/"
    end = f"/staff/people/links/{link.public_id}/end/"
    refused(own, at, workers=str(make.make_worker().public_id), reason="one phone")
    refused(own, end, reason="two sisters")
    offered(desk("quality"), at)
    offered(desk("quality"), end)
    link.refresh_from_db()
    assert link.ended_at is None


def test_whose_rejections_or_answers_wait_for_a_look_sees_no_form_to_decide_them(market: Any) -> None:
    review = make_review(market)
    at = f"/staff/rejections/{review.public_id}/"
    answered = review.items.select_related("assignment__worker__user").first().assignment.worker.user
    for somebody in (make.owner_of(review.batch.requester), answered):
        refused(also_staff(somebody), at, decision="approve", reason="So.")
    offered(desk("support"), at)
    review.refresh_from_db()
    assert review.state == "open"

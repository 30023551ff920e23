"""What rules did, whose answers are held back, and whom the organisation limits: on the page of a batch."""

import re
from datetime import timedelta

import pytest

from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.models import Act, Sanction, User
from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from marketplace.results.queries.standing import batch_state
from tests import factories as make
from tests.acts import in_one
from tests.api.market import Market, make_market
from tests.api.test_quality_view import MISSES, answers, known
from tests.console.members import member
from tests.web.visitors import key_in, text_of
from workers.assignments.commands.holds import hold_answers
from workers.assignments.models import Assignment
from workers.assignments.origin import Origin
from workers.profiles.models import Worker
from workers.reputation.commands.apply import evaluate_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return make_market(gold=0, quality={"rules": [MISSES]}, overlap=2)


def path_of(market: Market) -> str:
    return f"/console/batches/{market.batch.public_id}/rules/"


def held(market: Market, count: int = 2, firing: int = 1, reason: str = "Too fast to read.") -> Worker:
    """Somebody new whose answers wait and are held back."""
    worker = make.make_worker()
    make.answer(worker, make.take(worker, market.batch, count))
    in_one(
        hold_answers,
        batch_id=market.batch.pk,
        worker_id=worker.pk,
        life=timedelta(days=5),
        reason=reason,
        origin=Origin(firing),
    )
    return worker


def limited(worker: Worker, scope: str, scope_id: int | None, by: User, words: str) -> Sanction:
    with one_transaction(principal="test"):
        return impose(
            user_id=worker.user_id, scope=scope, scope_id=scope_id, measure="limit", reason="haste", words=words,
            evidence={"note": "Four in a second."}, life=timedelta(days=3), made_by=by.pk,
        )  # fmt: skip


def test_answers_held_back_say_whose_how_many_and_why_and_where_they_are_decided(market: Market) -> None:
    worker = held(market)
    reviewer = member(market.requester, "reviewer")
    name = known(market, worker)

    reply = reviewer.get(path_of(market))

    assert reply.status_code == 200
    page = text_of(reply)
    assert name in page and "2 answers wait" in page and "Too fast to read." in page
    assert f"/review/answers/?worker={name}" in reply.content.decode()
    watch = reviewer.get(f"/console/batches/{market.batch.public_id}/")
    assert "The answers of 1 worker are held back. See why" in text_of(watch)
    assert path_of(market) in watch.content.decode()


def test_a_worker_whom_two_rules_hold_back_is_one_worker(market: Market) -> None:
    worker = held(market)
    in_one(
        hold_answers, batch_id=market.batch.pk, worker_id=worker.pk, life=timedelta(days=9), reason="Alike.",
        origin=Origin(2),
    )  # fmt: skip
    assert batch_state(market.batch.pk)["wanted"]["held_workers"] == 1
    page = text_of(member(market.requester, "reviewer").get(path_of(market)))
    assert "Alike." in page and "Too fast to read." in page and page.count("2 answers wait") == 1


def test_a_reviewer_releases_what_is_in_order_with_a_reason_and_it_is_written_down(market: Market) -> None:
    worker = held(market)
    reviewer = member(market.requester, "reviewer")
    sent = {"act": "release", "worker": known(market, worker), "reason": ""}
    key = key_in(reviewer.get(path_of(market)))

    refused = reviewer.post(path_of(market), {"form_key": key, **sent})
    assert (refused.status_code, "This field is required" in text_of(refused)) == (422, True)
    assert rows("SELECT ended_at IS NULL FROM assignments_hold") == [(True,)]

    done = reviewer.post(path_of(market), {"form_key": key, **sent, "reason": "I looked."}, follow=True)

    assert "Held back no longer." in text_of(done) and "Nothing is held back" in text_of(done)
    assert rows("SELECT end_reason FROM assignments_hold") == [("I looked.",)]
    assert set(Assignment.objects.filter(worker=worker).values_list("state", flat=True)) == {"submitted"}
    act = Act.objects.get(act="money.answers_released")
    assert (act.subject_id, act.after) == (str(market.batch.public_id), {"holds": 1, "answers": 0})


def test_a_worker_of_whom_nothing_is_held_is_said_above_and_nothing_happens(market: Market) -> None:
    held(market)
    reviewer = member(market.requester, "reviewer")
    key = key_in(reviewer.get(path_of(market)))
    for name, words in ((market.known, "No answers of this worker are held back"), ("W-nobody", "no worker")):
        body = {"form_key": key, "act": "release", "worker": name, "reason": "x"}
        reply = reviewer.post(path_of(market), body)
        assert reply.status_code == 422
        assert words in text_of(reply)
    assert rows("SELECT ended_at IS NULL FROM assignments_hold") == [(True,)]


def test_a_rule_that_held_says_of_whom_on_what_figures_and_what_came_of_it(market: Market) -> None:
    worker = make.make_worker()
    answers(worker, market.batch, [0.0] * 6)
    evaluate_due()

    page = text_of(member(market.requester, "reviewer").get(path_of(market)))

    assert f"misses · {known(market, worker)}" in page
    assert "Too many wrong." in page
    assert "hidden check questions answered: 5" in page and "the rule: at least 5" in page
    # Of six that are all wrong it is not quite nothing.
    assert re.search(r"share of hidden check questions answered right: \d+\.\d %? ?\([\d.]+ % – [\d.]+ %\)", page)
    assert "the rule: below 50.0 %" in page
    assert "No new tasks : in the project for 72 hours" in page


def test_limits_are_lifted_by_managers_with_a_reason_and_those_of_staff_are_not(market: Market) -> None:
    mine, other = make.make_worker(), make.make_worker()
    own = limited(mine, "project", market.project.pk, make.owner_of(market.requester), "Four a second.")
    limited(other, "batch", market.batch.pk, make.make_user(), "By staff.")
    manager, reviewer = member(market.requester, "manager"), member(market.requester, "reviewer")
    page = manager.get(path_of(market))
    text = text_of(page)
    assert "Four a second." in text and "Four in a second." in text and "by your organisation" in text
    assert "By staff." in text and "Only the people who run this site end it." in text
    assert "End it before its time" not in text_of(reviewer.get(path_of(market)))
    body = {"act": "lift", "sanction": str(own.public_id), "reason": "He was right."}

    refused = reviewer.post(path_of(market), {"form_key": "k" * 20, **body})
    assert (refused.status_code, "This is for managers" in text_of(refused)) == (422, True)
    assert Sanction.objects.get(pk=own.pk).lifted_at is None

    done = manager.post(path_of(market), {"form_key": key_in(page), **body}, follow=True)

    assert "The limit has ended." in text_of(done) and "Lifted because: He was right." in text_of(done)
    assert Sanction.objects.get(pk=own.pk).lift_reason == "He was right."


def test_limits_of_other_projects_and_other_organisations_are_not_shown_here(market: Market) -> None:
    by = make.owner_of(market.requester)
    worker = make.make_worker()
    limited(worker, "project", make.make_project(market.requester).pk, by, "Elsewhere.")
    limited(worker, "requester", make.make_requester().pk, by, "With others.")
    limited(worker, "requester", market.requester.pk, by, "Everywhere here.")
    page = text_of(member(market.requester, "reviewer").get(path_of(market)))
    assert "Everywhere here." in page
    assert "Elsewhere." not in page and "With others." not in page


def test_it_is_for_reviewers_and_there_is_none_of_a_draft(market: Market) -> None:
    assert member(market.requester, "viewer").get(path_of(market)).status_code == 403
    assert member(make.make_requester(), "owner").get(path_of(market)).status_code == 404
    draft = f"/console/batches/{market.draft.public_id}/rules/"
    assert member(market.requester, "reviewer").get(draft).status_code == 404


def test_bonuses_are_one_step_from_whoever_earned_one(market: Market) -> None:
    worker = make.make_worker()
    make.answer(worker, make.take(worker, market.batch, 1))
    task = Assignment.objects.select_related("task").get(worker=worker).task.external_id
    manager, viewer = member(market.requester, "manager"), member(market.requester, "viewer")
    at = f"/console/batches/{market.batch.public_id}/"
    bonus = f"{at}bonuses/?worker={known(market, worker)}"

    assert bonus in manager.get(f"{at}task/?id={task}").content.decode()
    assert f"{at}bonuses/" in manager.get(at).content.decode()
    assert bonus not in viewer.get(f"{at}task/?id={task}").content.decode()

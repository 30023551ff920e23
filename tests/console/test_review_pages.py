"""Reviews on the console: who may, what each act does, and what waits for a second look."""

import re
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from marketplace.batches.models import Batch
from marketplace.common.database import rows
from marketplace.results.models import Adjudication, RejectionReview
from tests import factories as make
from tests.acts import broken, in_one
from tests.api.market import make_market
from tests.api.test_quarantine_view import spoil
from tests.console.reviewed import NO_GOLD, answer_all, answers_to, disputed, member
from tests.gold.test_audit import audit, states, wrong_key_batch
from tests.web.visitors import client_of, key_in, text_of
from workers.appeals.commands.open import contest_answer
from workers.assignments.commands.reopen import ask_review
from workers.assignments.models import Assignment
from workers.assignments.origin import Origin
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db
PAGES = ("console_review", "console_review_answers", "console_review_given_up", "console_review_appeals")


def path(batch: Batch, name: str = "console_review", **query: str) -> str:
    joined = "&".join(f"{one}={text}" for one, text in query.items())
    return reverse(name, args=[batch.public_id]) + (f"?{joined}" if joined else "")


def send(client: Client, at: str, **fields: Any) -> Any:
    """A form of the page, sent as a browser does."""
    return client.post(at, {"form_key": key_in(client.get(at)), **fields})


def state_of(answer: Assignment) -> str:
    return str(Assignment.objects.values_list("state", flat=True).get(pk=answer.pk))


@pytest.fixture
def batch(db: None) -> Batch:
    return disputed(3)


@pytest.fixture
def reviewer(batch: Batch) -> Client:
    return member(batch.requester, "reviewer")


@pytest.mark.parametrize("name", PAGES)
def test_reviewers_are_let_in_viewers_are_not_and_to_others_there_is_no_such_batch(batch: Batch, name: str) -> None:
    at = path(batch, name)
    for role, status in (("owner", 200), ("manager", 200), ("reviewer", 200), ("viewer", 403)):
        assert member(batch.requester, role).get(at).status_code == status, role
    assert client_of(make.make_requester().members.get().user).get(at).status_code == 404
    assert Client().get(at).status_code == 302


def test_a_task_is_shown_with_its_answers_side_by_side_and_workers_by_other_names(
    batch: Batch, reviewer: Client
) -> None:
    page = reviewer.get(path(batch))
    text = text_of(page)
    assert "Task t0" in text and "Task t1" not in text
    assert text.count("Answer 1") == text.count("Answer 2") == text.count("Answer 3") == 1
    assert "≠ label" in text
    for answer in answers_to(batch):
        name = in_one(pseudonym_for, worker_id=answer.worker_id, requester_id=batch.requester_id)
        assert name in text
        for own in (str(answer.worker.public_id), answer.worker.user.email):
            assert own not in page.content.decode()


def test_the_next_one_follows_and_at_the_end_it_says_so(reviewer: Client, batch: Batch) -> None:
    two = disputed(3, disputes=2)
    client = member(two.requester, "reviewer")
    seen = []
    at = path(two, queue="disagreements")
    for _step in range(2):
        page = client.get(at)
        seen.append(re.search(r"Task (t\d)", text_of(page))[1])  # type: ignore[index]
        at = path(two) + re.search(r'href="(\?queue=disagreements&amp;after=[^"]+)"', page.content.decode())[1].replace(  # type: ignore[index]
            "&amp;", "&"
        )
    assert sorted(seen) == ["t0", "t1"]
    assert "That was the last one" in text_of(client.get(at))


def test_choosing_an_answer_settles_the_label_with_a_reason_that_stays(batch: Batch, reviewer: Client) -> None:
    [dog] = answers_to(batch, "t0", "dog")

    reply = send(
        reviewer, path(batch, queue="disagreements"), act="settle", task="t0", answer=str(dog.public_id),
        reason="instructions", words="Page 2.",
    )  # fmt: skip

    assert reply.status_code == 303
    made = Adjudication.objects.get()
    assert (made.values, made.answer_id, made.reason, made.words) == (
        {"label": "dog"},
        dog.pk,
        "instructions",
        "Page 2.",
    )
    assert state_of(dog) == "submitted", "to settle is not to pay"
    page = reviewer.get(reply["Location"])
    assert "Settled." in text_of(page)
    assert "Nothing waits here" in text_of(reviewer.get(path(batch, queue="disagreements")))


def test_a_form_that_is_sent_twice_settles_once(batch: Batch, reviewer: Client) -> None:
    at = path(batch, queue="disagreements")
    form = {
        "form_key": key_in(reviewer.get(at)),
        "act": "own",
        "task": "t0",
        "values": '{"label": "dog"}',
        "reason": "best",
    }
    assert [reviewer.post(at, form).status_code for _ in range(2)] == [303, 303]
    assert Adjudication.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"act": "settle", "reason": "plain"}, "Choose an answer first"),
        ({"act": "settle", "reason": "other", "values": '{"label": "cat"}'}, "Say in words why this is the label"),
        ({"act": "own", "reason": "plain", "values": '{"label": "horse"}'}, "Label: must be the value of one"),
        ({"act": "accept"}, "Choose an answer first"),
        ({"act": "reject", "reason": "wrong", "comment": "No."}, "Choose an answer first"),
        ({"act": "confirm"}, "This is for managers"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_and_nothing_is_done(
    batch: Batch, reviewer: Client, fields: dict[str, str], says: str
) -> None:
    reply = send(reviewer, path(batch, queue="disagreements"), task="t0", **fields)
    assert reply.status_code == 422
    assert says in text_of(reply)
    assert not Adjudication.objects.exists()
    assert rows("SELECT DISTINCT state FROM assignments_assignment") == [("submitted",)]


NUL = "\x00"


def test_what_no_task_and_no_worker_can_be_called_is_not_there() -> None:
    batch = disputed(3)
    client = member(batch.requester, "manager")
    for query in ("task=%00", "task=t0%00", "queue=gold&task=%00"):
        assert client.get(path(batch) + f"?{query}").status_code == 404, query
    lists = client.get(path(batch, "console_review_answers") + "?worker=%00")
    assert (lists.status_code, 'name="answer"' in lists.content.decode()) == (200, False)

    key = {"form_key": "k" * 20, "task": NUL}
    for act in ("settle", "own", "confirm", "retire"):
        reply = client.post(path(batch), {**key, "act": act, "reason": "plain", "values": '{"label": "cat"}'})
        assert reply.status_code == 404, act
    given_up = client.post(path(batch, "console_review_given_up"), {**key, "task": ["t0", NUL]})
    assert given_up.status_code == 422 and "These tasks are not in this batch" in text_of(given_up)
    assert not Adjudication.objects.exists()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ('{"label": ' + "[" * 10_000, "nested too deeply"),
        ('{"label": ' + "[" * 400 + "]" * 400 + "}", "nested too deeply"),
        ('{"label": ' + "9" * 5_000 + "}", "not valid JSON"),
        ('{"label": "\\ud800"}', "half of a surrogate pair"),
        ('{"label": "\\u0000"}', "the character NUL"),
        ('["cat"]', "must be a JSON object"),
    ],
)
def test_values_that_nothing_could_hold_are_refused_in_words(
    batch: Batch, reviewer: Client, values: str, says: str
) -> None:
    reply = send(reviewer, path(batch, queue="disagreements"), act="own", task="t0", reason="plain", values=values)
    assert reply.status_code == 422 and says in text_of(reply)
    assert not Adjudication.objects.exists()


def test_accepting_pays_those_that_are_named_and_the_task_stays_in_view(batch: Batch, reviewer: Client) -> None:
    cats = answers_to(batch, "t0", "cat")
    reply = send(
        reviewer, path(batch, queue="disagreements"), act="accept", task="t0",
        answer=[str(one.public_id) for one in cats],
    )  # fmt: skip
    assert reply.status_code == 303
    assert "task=t0" in reply["Location"]
    assert [state_of(one) for one in cats] == ["accepted", "accepted"]
    assert state_of(answers_to(batch, "t0", "dog")[0]) == "submitted"
    assert "2 answers accepted" in text_of(reviewer.get(reply["Location"]))
    assert broken() == []


def test_an_answer_is_rejected_with_reason_and_words_that_the_worker_reads(batch: Batch, reviewer: Client) -> None:
    [dog] = answers_to(batch, "t0", "dog")
    reply = send(
        reviewer, path(batch), act="reject", task="t0", answer=str(dog.public_id), reason="wrong", comment="It meows."
    )
    assert reply.status_code == 303
    assert (state_of(dog), Assignment.objects.get(pk=dog.pk).comment) == ("rejected", "It meows.")
    page = text_of(reviewer.get(path(batch, task="t0")))
    assert "What is not paid is withheld" in page and "It meows." in page
    assert "can contest it for" in page, "what it means is said before"


def test_an_answer_goes_back_for_repair_once(batch: Batch, reviewer: Client) -> None:
    [dog] = answers_to(batch, "t0", "dog")
    send(
        reviewer, path(batch), act="repair", task="t0", answer=str(dog.public_id), reason="wrong", comment="Look again."
    )
    assert state_of(dog) == "leased"


def test_a_rejection_above_the_guard_waits_and_pays_nobody_less(reviewer: Client, batch: Batch) -> None:
    large = make.make_batch(8, project=batch.project, overlap=1, gold_policy=NO_GOLD, lease_cap=100)
    answer_all(large, lambda text: "cat", 8)
    named = [str(one) for one in Assignment.objects.filter(batch=large).values_list("public_id", flat=True)]

    reply = send(
        reviewer, path(large, "console_review_answers"), act="reject", answer=named, reason="spam", comment="All of it."
    )

    assert reply.status_code == 303
    assert rows("SELECT DISTINCT state FROM assignments_assignment WHERE batch_id = %s", [large.pk]) == [("submitted",)]
    review = RejectionReview.objects.get()
    assert (review.state, review.cause, review.answers) == ("open", "count", 8)
    page = text_of(reviewer.get(reply["Location"]))
    assert "8 rejections wait for a look by the people who run this site" in page
    assert "Waits for a look" in page


def test_many_answers_are_accepted_at_once_those_ticked_or_all(batch: Batch, reviewer: Client) -> None:
    at = path(batch, "console_review_answers")
    assert text_of(reviewer.get(at)).count("animal") == 0, "tasks go by their ids"
    first, second, *_rest = answers_to(batch, "t1")
    send(reviewer, at, act="accept", answer=[str(first.public_id), str(second.public_id)])
    assert rows("SELECT count(*) FROM assignments_assignment WHERE state = 'accepted'") == [(2,)]
    send(reviewer, at, act="accept_all")
    assert rows("SELECT DISTINCT state FROM assignments_assignment") == [("accepted",)]
    assert "No answer waits for a decision" in text_of(reviewer.get(at))


def test_nothing_ticked_is_said_and_what_was_ticked_is_kept(batch: Batch, reviewer: Client) -> None:
    at = path(batch, "console_review_answers")
    empty = send(reviewer, at, act="accept")
    assert (empty.status_code, "Tick the answers first" in text_of(empty)) == (422, True)
    [first, *_rest] = answers_to(batch)
    silent = send(reviewer, at, act="reject", answer=[str(first.public_id)], reason="wrong", comment="")
    assert silent.status_code == 422
    assert re.search(rf'value="{first.public_id}" checked', silent.content.decode())
    assert state_of(first) == "submitted"


def test_answers_of_one_worker_are_found_by_the_name_that_is_known(batch: Batch, reviewer: Client) -> None:
    [dog] = answers_to(batch, "t0", "dog")
    name = in_one(pseudonym_for, worker_id=dog.worker_id, requester_id=batch.requester_id)
    page = reviewer.get(path(batch, "console_review_answers", worker=name))
    assert page.content.decode().count('name="answer"') == 3
    nobody = reviewer.get(path(batch, "console_review_answers", worker="w_nobody"))
    assert "No answer of this worker waits" in text_of(nobody)


def test_an_answer_of_another_organisation_is_not_decided_here(batch: Batch, reviewer: Client) -> None:
    [theirs, *_rest] = answers_to(disputed(1))
    for act, more in (("accept", {}), ("reject", {"reason": "wrong", "comment": "No."})):
        reply = send(reviewer, path(batch), act=act, task="t0", answer=str(theirs.public_id), **more)
        assert reply.status_code == 422
    settled = send(reviewer, path(batch), act="settle", task="t0", answer=str(theirs.public_id), reason="plain")
    assert settled.status_code == 422
    assert state_of(theirs) == "submitted"
    assert not Adjudication.objects.exists()


def test_an_escalation_shows_what_is_asked_and_goes_once_it_is_decided(batch: Batch, reviewer: Client) -> None:
    [dog] = answers_to(batch, "t0", "dog")
    in_one(ask_review, batch_id=batch.pk, worker_id=dog.worker_id, reason="much faster than others", origin=Origin(1))
    page = reviewer.get(path(batch, queue="escalations"))
    assert "much faster than others" in text_of(page)
    assert re.search(r'value="[0-9a-f-]{36}" checked', page.content.decode()), "the answer in question is chosen"
    for task in ("t0", "t1", "t2"):
        answer = next(one for one in answers_to(batch, task) if one.worker_id == dog.worker_id)
        send(reviewer, path(batch, queue="escalations"), act="accept", task=task, answer=str(answer.public_id))
    assert "Nobody asks you to look at an answer" in text_of(reviewer.get(path(batch, queue="escalations")))


def test_a_sample_says_what_it_proves_and_counts_what_was_found(batch: Batch, reviewer: Client) -> None:
    at = path(batch, queue="sample")
    page = reviewer.get(at)
    assert "3 more items, if they are right, prove ≤ 2 % error at 95 %" in text_of(page)
    task = re.search(r"Task (t\d)", text_of(page))[1]  # type: ignore[index]
    send(reviewer, at, act="settle", task=task, values='{"label": "cat"}', reason="plain")
    made = Adjudication.objects.get()
    assert (made.sampled, made.agrees) == (True, True)
    page = reviewer.get(at)
    assert "2 more items" in text_of(page)
    file = reverse("console_review_proof", args=[batch.public_id])
    assert f'href="{file}?share=0.02&amp;table=proof"' in page.content.decode()
    header, line = reviewer.get(f"{file}?share=0.05").content.decode().splitlines()
    assert header == "share,confidence,population,looked_at,errors,bound,more"
    assert line.split(",")[:5] == ["0.05", "0.95", "3", "1", "0"]
    assert member(batch.requester, "viewer").get(file).status_code == 403


def test_keys_are_judged_by_managers_and_looks_at_them_are_noted() -> None:
    batch, _crew = wrong_key_batch()
    audit()
    at = path(batch, queue="gold")
    reviewer, manager = member(batch.requester, "reviewer"), member(batch.requester, "manager")
    page = reviewer.get(at)
    assert "Good workers keep failing it" in text_of(page)
    assert rows("SELECT count(*) FROM gold_look") == [(1,)]
    refused = reviewer.post(at, {"form_key": "x" * 20, "act": "retire", "task": "wrong"})
    assert (refused.status_code, states(batch)["wrong"]) == (422, "flagged")

    assert send(manager, at, act="retire", task="wrong").status_code == 303

    assert states(batch)["wrong"] == "retired"
    assert "No key waits for your word" in text_of(manager.get(at))


def test_appeals_are_read_and_answered_in_the_organisations_name(batch: Batch, reviewer: Client) -> None:
    [dog] = answers_to(batch, "t0", "dog")
    with transaction.atomic():
        make.reject(batch, [dog], comment="It meows.")
    in_one(contest_answer, worker_id=dog.worker_id, assignment=dog.public_id, words="It barks at night.")
    at = path(batch, "console_review_appeals")
    page = reviewer.get(at)
    assert "It barks at night." in text_of(page) and "It meows." in text_of(page)
    appeal = re.search(r'name="appeal" value="([^"]+)"', page.content.decode())[1]  # type: ignore[index]
    assert send(reviewer, at, appeal=appeal, words="Listen to the end.").status_code == 303
    assert "You said" in text_of(reviewer.get(at)) and "Listen to the end." in text_of(reviewer.get(at))
    other = disputed(1)
    stranger = member(other.requester, "reviewer")
    refused = stranger.post(
        path(other, "console_review_appeals"), {"form_key": "y" * 20, "appeal": appeal, "words": "No."}
    )
    assert refused.status_code == 404


def test_tasks_that_were_given_up_say_why_and_managers_put_them_back() -> None:
    market = make_market(tasks=3, gold=0, overlap=2, max_attempts=2)
    task = spoil(market)
    at = path(market.batch, "console_review_given_up")
    reviewer, manager = member(market.requester, "reviewer"), member(market.requester, "manager")
    text = text_of(reviewer.get(at))
    assert task in text and "the image is black" in text and "1 × Something is broken" in text
    assert "Put them back" not in text
    refused = reviewer.post(at, {"form_key": "g" * 20, "task": task})
    assert (refused.status_code, "This is for managers" in text_of(refused)) == (422, True)
    empty = send(manager, at)
    assert (empty.status_code, "Tick the tasks first" in text_of(empty)) == (422, True)

    assert send(manager, at, task=task).status_code == 303

    assert rows("SELECT count(*) FROM batches_task WHERE quarantined_at IS NOT NULL") == [(0,)]
    assert "No task was given up" in text_of(manager.get(at))


def test_a_queue_costs_as_many_statements_however_much_waits() -> None:
    def cost(disputes: int) -> int:
        batch = disputed(12, disputes=disputes)
        client, at = member(batch.requester, "reviewer"), path(batch, queue="disagreements")
        client.get(at)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(at).status_code == 200
        return len(caught)

    assert cost(1) == cost(12) < 60

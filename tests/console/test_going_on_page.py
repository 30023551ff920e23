"""Raising the pay, giving more time and adding tasks, from the page of a batch: what comes over, what stays, once."""

import pytest
from django.test import Client

from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import goes_on_in, held_by
from tests import factories as make
from tests.acts import in_one
from tests.console.test_watch_acts import send
from tests.console.watched import Watched, give_back, make_watched
from tests.web.visitors import client_of, text_of
from workers.assignments.commands.decide import cancel
from workers.assignments.states import ReturnReason

pytestmark = pytest.mark.django_db
TERMS = {"price": "0.05", "time_limit": "30"}


@pytest.fixture
def watched() -> Watched:
    """Four tasks of four places each, three answered by each of three people."""
    return make_watched(4)


@pytest.fixture
def manager(watched: Watched) -> Client:
    return client_of(watched.people["manager"])


def at(watched: Watched) -> str:
    return f"{watched.path}go-on/"


def test_the_page_says_what_comes_over_and_what_stays_and_looking_does_nothing(
    watched: Watched, manager: Client
) -> None:
    make.take(make.make_worker(), watched.batch)
    page = manager.get(at(watched))
    words = text_of(page)

    assert "What a batch promised its workers never changes, so what is left goes on in a new batch" in words
    assert "Tasks that lack answers 3 Answers that they lack 3 Of these tasks, begun here 3" in words
    assert "In work now 1 Wait for your decision 12" in words
    assert "Results and data sets are made for each batch by itself." in words
    shown = page.content.decode()
    assert 'name="price" value="0.02"' in shown and 'name="time_limit" value="15"' in shown
    assert 'name="new_workers"' in shown and "checked" in shown, "tasks were begun"
    assert 'name="quarantined"' not in shown
    assert Batch.objects.get(pk=watched.batch.pk).state == "published"
    assert at(watched) in manager.get(watched.path).content.decode()


def test_it_is_closed_and_gone_on_with_once_however_often_the_form_is_sent(watched: Watched, manager: Client) -> None:
    page = manager.get(at(watched))

    replies = [send(manager, at(watched), page, **TERMS) for _ in range(2)]

    [made] = goes_on_in(watched.batch)
    assert [(one.status_code, one["Location"]) for one in replies] == [
        (303, f"/console/batches/{made.public_id}/setup/check/")
    ] * 2
    assert Batch.objects.get(pk=watched.batch.pk).state == "closing"
    assert (made.state, made.price_micros, made.time_limit_s, made.audience) == ("draft", 50_000, 1_800, {})
    assert dict(Task.objects.filter(batch=made).values_list("external_id", "overlap")) == {f"t{n}": 1 for n in range(4)}
    told = text_of(manager.get(replies[0]["Location"]))
    assert "A draft with the new terms: 4 tasks came over." in told
    assert f"It goes on with: {watched.batch.name}" in told
    there = text_of(manager.get(watched.path))
    assert f"It goes on in: {made.name} Draft" in there


def test_from_a_batch_that_has_ended_just_what_it_lacks_goes_on_or_a_draft_for_more(
    watched: Watched, manager: Client
) -> None:
    give_back(make.make_worker(), watched.batch, ReturnReason.SKIP)
    in_one(cancel, batch_id=watched.batch.pk)
    page = manager.get(at(watched))
    assert "This batch takes no more work already and stays as it is." in text_of(page)
    first = send(manager, at(watched), page, **TERMS, new_workers="on")
    assert first["Location"].endswith("/setup/check/")
    assert goes_on_in(watched.batch)[0].audience == {"not": {"batch": {"id": str(watched.batch.public_id)}}}

    again = manager.get(at(watched))
    assert "No task lacks an answer that nobody is at." in text_of(again)
    reply = send(manager, at(watched), again, **TERMS)
    empty = Batch.objects.latest("pk")
    assert (reply["Location"], held_by(empty).tasks) == (f"/console/batches/{empty.public_id}/setup/items/", 0)
    assert "A draft with the new terms: bring its tasks." in text_of(manager.get(reply["Location"]))


def test_what_is_wrong_is_said_at_its_field_and_the_batch_stays_open(watched: Watched, manager: Client) -> None:
    for wrong in ({"price": "0", "time_limit": "30"}, {"price": "0.05", "time_limit": "99999"}, {"price": "x"}):
        reply = send(manager, at(watched), **wrong)
        assert reply.status_code == 422
        assert f'value="{wrong["price"]}"' in reply.content.decode(), "what was typed is kept"
    assert (Batch.objects.get(pk=watched.batch.pk).state, Batch.objects.count()) == ("published", 1)


def test_tasks_in_quarantine_are_offered_where_there_are_some(manager: Client, watched: Watched) -> None:
    batch = make.make_batch(1, overlap=1, max_attempts=1, project=watched.batch.project)
    give_back(make.make_worker(), batch, ReturnReason.BROKEN)
    path = f"/console/batches/{batch.public_id}/go-on/"
    assert 'name="quarantined"' in manager.get(path).content.decode()
    send(manager, path, **TERMS, quarantined="on")
    assert held_by(goes_on_in(batch)[0]).tasks == 1


def test_only_managers_go_on_and_a_draft_is_changed_itself(watched: Watched, manager: Client) -> None:
    for role in ("reviewer", "viewer"):
        client = client_of(watched.people[role])
        assert client.get(at(watched)).status_code == 403
        assert "go-on" not in client.get(watched.path).content.decode()
    draft = make.make_draft(watched.batch.project)
    assert manager.get(f"/console/batches/{draft.public_id}/go-on/").status_code == 404

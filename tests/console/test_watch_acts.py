"""What managers may do to a running batch: said before, done once, and refused to everybody else."""

import re
from typing import Any

import pytest
from django.test import Client

from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import progress
from marketplace.common.database import acting_as, value
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.console.watched import Watched, give_back, make_watched
from tests.web.visitors import client_of, key_in, text_of
from workers.assignments.commands.quarantine import refund_quarantined
from workers.assignments.models import Assignment
from workers.assignments.states import ReturnReason

pytestmark = pytest.mark.django_db
UNIT = make.PRICE + make.FEE


@pytest.fixture
def watched() -> Watched:
    return make_watched(4)


@pytest.fixture
def manager(watched: Watched) -> Client:
    return client_of(watched.people["manager"])


def state(watched: Watched) -> str:
    return Batch.objects.get(pk=watched.batch.pk).state


def send(client: Client, path: str, form: Any = None, **values: Any) -> Any:
    return client.post(path, {"form_key": key_in(form or client.get(path)), **values})


def test_a_batch_is_paused_and_resumed_from_its_page(watched: Watched, manager: Client) -> None:
    page = manager.get(watched.path)
    reply = send(manager, f"{watched.path}pause/", page)

    assert (reply.status_code, reply["Location"], state(watched)) == (303, watched.path, "paused")
    again = manager.get(watched.path)
    assert "Paused. Nobody takes new tasks" in text_of(again)
    send(manager, f"{watched.path}resume/", again)
    assert state(watched) == "published"


def test_before_a_batch_is_cancelled_the_page_says_what_follows(watched: Watched, manager: Client) -> None:
    lease = make.take(make.make_worker(), watched.batch)[0]
    page = manager.get(f"{watched.path}cancel/")

    words = text_of(page)
    assert "Who holds a task now loses it at once" in words
    assert "In work now 1" in words and "Wait for your decision 12" in words
    assert f"Still held {16 * UNIT / 1_000_000:.3f} EUR" in words
    assert state(watched) == "published", "looking does nothing"

    send(manager, f"{watched.path}cancel/", page)
    assert state(watched) == "cancelled"
    assert Assignment.objects.get(public_id=lease.id).state == "expired"


def test_a_batch_is_closed_once_however_often_the_form_is_sent(watched: Watched, manager: Client) -> None:
    page = manager.get(f"{watched.path}close/")

    replies = [send(manager, f"{watched.path}close/", page) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [303, 303]
    assert state(watched) == "closing"
    refused = send(manager, f"{watched.path}pause/", page)
    assert refused.status_code == 409 and "cannot become paused" in text_of(refused)
    assert "not possible now" in text_of(manager.get(f"{watched.path}cancel/"))


def test_more_answers_are_asked_for_and_paid_for_at_once(watched: Watched, manager: Client) -> None:
    before = make.funds(watched.batch)

    reply = send(manager, f"{watched.path}places/", which="named", tasks="t0\nt2\n\nt0", by="2")

    assert reply.status_code == 303, text_of(reply)
    assert "4 more answers are wanted; 0.088 EUR is held for them." in text_of(manager.get(watched.path))
    assert before - make.funds(watched.batch) == 4 * UNIT
    assert dict(Task.objects.filter(batch=watched.batch).values_list("external_id", "overlap")) == {
        "t0": 6, "t1": 4, "t2": 6, "t3": 4,
    }  # fmt: skip


def test_more_answers_can_be_asked_for_the_hardest_or_for_all_tasks(watched: Watched, manager: Client) -> None:
    form = text_of(manager.get(f"{watched.path}places/"))
    assert "The 4 tasks of which the answers are least sure" in form and "Every task: all 4" in form

    send(manager, f"{watched.path}places/", which="all", by="1")

    assert progress(watched.batch).places == 20


def test_what_is_wrong_with_the_form_is_said_at_its_field_and_nothing_is_held(
    watched: Watched, manager: Client
) -> None:
    before = make.funds(watched.batch)
    path = f"{watched.path}places/"
    wrong = {
        "Name at least one task.": {"which": "named", "tasks": " \n", "by": "1"},
        "These tasks are not in this batch.": {"which": "named", "tasks": "t0\nt99", "by": "1"},
        "Ensure this value is less than or equal to 49.": {"which": "named", "tasks": "t0", "by": "50"},
        "No task is called so": {"which": "named", "tasks": "x" * 201, "by": "1"},
    }
    for message, values in wrong.items():
        reply = send(manager, path, **values)
        assert reply.status_code == 422 and message in text_of(reply), text_of(reply)
        assert str(values["tasks"]).strip()[:20] in reply.content.decode(), "what was typed is kept"

    make.spend_all(watched.batch)
    reply = send(manager, path, which="named", tasks="t0", by="1")
    assert reply.status_code == 422
    assert "0.022 EUR" in text_of(reply)
    assert progress(watched.batch).places == 16
    assert before > make.funds(watched.batch) == 0


def test_nobody_below_a_manager_does_anything(watched: Watched, manager: Client) -> None:
    page = manager.get(watched.path)
    for role in ("reviewer", "viewer"):
        client = client_of(watched.people[role])
        for path in ("pause/", "resume/", "close/", "cancel/", "places/"):
            assert client.get(f"{watched.path}{path}").status_code == 403, (role, path)
        for path in ("pause/", "close/", "cancel/", "places/", "release/", "gold/key/"):
            values = {"which": "all", "by": "1", "task": "t0", "act": "retire"}
            assert send(client, f"{watched.path}{path}", page, **values).status_code == 403, (role, path)
    stranger = client_of(make.owner_of(make.make_requester()))
    assert send(stranger, f"{watched.path}cancel/", page).status_code == 404
    assert (state(watched), progress(watched.batch).places) == ("published", 16)


def test_an_act_that_is_none_is_not_there(watched: Watched, manager: Client) -> None:
    page = manager.get(watched.path)
    assert manager.get(f"{watched.path}publish/").status_code == 404
    assert send(manager, f"{watched.path}settle/", page).status_code == 404
    assert send(manager, f"{watched.path}release/", page).status_code == 400
    assert manager.get(f"{watched.path}release/")["Location"] == watched.path
    assert send(manager, f"{watched.path}gold/key/", page, act="show", task="t0").status_code == 400
    assert manager.post(f"{watched.path}pause/").status_code == 400, "a form without its key"
    assert state(watched) == "published"


def test_keys_are_given_up_by_managers() -> None:
    watched = make_watched(4, 1)
    manager = client_of(watched.people["manager"])
    page = manager.get(f"{watched.path}gold/")

    reply = send(manager, f"{watched.path}gold/key/", page, act="retire", task="g0")

    assert reply.status_code == 303
    assert "what was judged by it counts no more" in text_of(manager.get(f"{watched.path}gold/")).lower()
    with one_transaction(principal="test"), acting_as("gold_reader"):
        assert value("SELECT state FROM batches_goldkey WHERE batch_id = %s", [watched.batch.pk]) == "retired"
    refused = send(manager, f"{watched.path}gold/key/", page, act="confirm", task="g0")
    assert refused.status_code == 409
    assert "A key that was retired" in text_of(refused)


def test_a_task_in_quarantine_goes_back_to_work() -> None:
    watched = make_watched(1, overlap=4, max_attempts=2)
    give_back(make.make_worker(), watched.batch, ReturnReason.TOO_HARD, "Too dark.")
    with one_transaction(principal="test"):
        refund_quarantined(batch_id=watched.batch.pk)
    manager = client_of(watched.people["manager"])
    page = manager.get(f"{watched.path}reports/")
    assert "Too dark." in text_of(page) and re.search(r"In quarantine.*t0", text_of(page))

    reply = send(manager, f"{watched.path}release/", page, task="t0")

    assert reply.status_code == 303
    assert Task.objects.get(batch=watched.batch).quarantined_at is None
    assert "No task." in text_of(manager.get(f"{watched.path}reports/"))

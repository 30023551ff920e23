"""The report of a pilot, and the decision that follows from it."""

from random import Random

import pytest
from django.test import Client
from django.urls import reverse

from marketplace.accounts.models import Act
from marketplace.batches.commands.pilots import start_pilot
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.projects.commands import add_version, publish_version
from tests import factories as make
from tests.console.members import member, owner, send
from tests.web.visitors import text_of
from workers.assignments.commands.decide import accept_answers

pytestmark = pytest.mark.django_db


def a_pilot(tasks: int = 30, items: int = 6) -> tuple[Client, Batch, Batch]:
    """The owner's browser, the pilot and the draft that waits."""
    requester = make.make_requester()
    rest = make.make_draft(make.make_project(requester), lease_cap=100)
    make.add_rows(rest, make.rows(tasks))
    with one_transaction(principal="test"):
        pilot = start_pilot(batch_id=rest.pk, items=items, chance=Random(1))
    return owner(requester), pilot, Batch.objects.get(pk=rest.pk)


def answered(pilot: Batch, *labels: str) -> None:
    """One worker for each label, who gives it to every item; all is accepted."""
    for label in labels:
        worker = make.make_worker()
        leases = make.take(worker, pilot, 6)
        make.answer(worker, leases, label)
        with one_transaction(principal="test"):
            accept_answers(batch_id=pilot.pk, assignments=[lease.id for lease in leases])


def at(batch: Batch, name: str = "console_batch_pilot") -> str:
    return reverse(name, args=[batch.public_id])


def test_before_there_are_answers_it_says_that_it_is_too_early() -> None:
    client, pilot, _rest = a_pilot()
    said = text_of(client.get(at(pilot)))
    assert "0 of 18" in said
    assert "There are 0 answers so far; 10 are the least that say anything." in said
    assert "Nothing speaks against going on." not in said


def test_it_tells_agreement_confusion_error_and_what_the_rest_will_take() -> None:
    client, pilot, rest = a_pilot()
    answered(pilot, "cat", "cat", "dog")
    assert "Results are made of accepted answers." in text_of(client.get(at(pilot)))
    assert send(client, at(pilot), to=at(pilot, "console_pilot_results"))["Location"] == at(pilot)

    said = text_of(client.get(at(pilot)))

    assert "18 of 18" in said
    # Of three pairs of answers to an item one agrees.
    assert "33 % of pairs of answers agree" in said
    assert "Cat Dog 12 67 % t" in said or "Dog Cat 12 67 % t" in said
    assert "“Cat” and “Dog” (12)" in said or "“Dog” and “Cat” (12)" in said, "advice calls labels by their titles"
    assert "0 % said unclear (0 answers)" in said
    assert "no gold was answered yet" in said
    assert "Items left 24" in said
    # 24 items, three answers each, of 0.02 and a tenth.
    assert "Costs at most 1.584 EUR" in said
    assert "No answer of this field is known" in said
    assert f'href="{reverse("console_setup_check", args=[rest.public_id])}"' in client.get(at(pilot)).content.decode()

    table = client.get(at(pilot, "console_pilot_confusion"))
    assert table["Content-Type"] == "text/csv; charset=utf-8"
    header, *rows = table.content.decode().splitlines()
    assert header == "field,one,other,pairs,share"
    assert [row.split(",")[0::3] for row in rows] == [["label", "12"]]
    [told] = Act.objects.filter(act="export.figures")
    assert (told.via, told.actor_id) == ("page", make.owner_of(pilot.requester).pk)
    assert (told.subject_id, told.after) == (str(pilot.public_id), {"table": "pilot"})


def test_where_answers_are_too_few_to_judge_by_it_says_so_and_gives_no_leave() -> None:
    requester = make.make_requester()
    rest = make.make_draft(make.make_project(requester), lease_cap=100)
    make.add_rows(rest, make.rows(24, 4))
    with one_transaction(principal="test"):
        pilot = start_pilot(batch_id=rest.pk, items=20, chance=Random(1))
    client, worker = owner(requester), make.make_worker()
    make.answer(worker, make.take(worker, pilot, 14))

    said = text_of(client.get(at(pilot)))

    assert "Not enough to judge by known answers:" in said
    assert "Not enough to judge how far people agree: all answers are of one worker." in said
    assert "Nothing speaks against going on." not in said


def test_it_gives_leave_once_enough_people_agree() -> None:
    client, pilot, _rest = a_pilot()
    answered(pilot, "cat", "cat", "cat")
    assert "Nothing speaks against going on." in text_of(client.get(at(pilot)))


def test_going_on_publishes_the_rest_once() -> None:
    client, pilot, rest = a_pilot()
    send(client, at(pilot), to=at(pilot, "console_pilot_go"))
    rest.refresh_from_db()
    assert rest.state == "published"
    said = text_of(client.get(at(pilot)))
    assert (f"The rest is published: {rest.name}." in said, "Your decision" in said) == (True, False)


def test_where_funds_are_short_it_is_said_and_nothing_is_published() -> None:
    client, pilot, rest = a_pilot()
    make.spend_all(rest)
    refused = send(client, at(pilot), to=at(pilot, "console_pilot_go"))
    rest.refresh_from_db()
    assert (rest.state, refused["Location"]) == ("draft", at(pilot))
    assert "1.584" in text_of(client.get(at(pilot)))


def test_going_on_from_a_pilot_of_all_items_makes_a_draft_for_more() -> None:
    client, pilot, _none = a_pilot(3, 3)
    reply = send(client, at(pilot), to=at(pilot, "console_pilot_go"))
    more = Batch.objects.latest("pk")
    assert (more.state, more.pilot_id, reply["Location"]) == ("draft", pilot.pk, at(more, "console_setup_items"))


def test_changing_something_begins_again_with_all_items_under_the_version_chosen() -> None:
    client, pilot, rest = a_pilot()
    with one_transaction(principal="test"):
        version = add_version(project_id=pilot.project_id, interface=make.INTERFACE, instructions="Clearer.")
    wrong = send(client, at(pilot), to=at(pilot, "console_pilot_change"), version=str(version.number))
    assert (wrong["Location"], Batch.objects.count()) == (at(pilot), 2)
    with one_transaction(principal="test"):
        publish_version(project=pilot.project, number=version.number)

    reply = send(client, at(pilot), to=at(pilot, "console_pilot_change"), version=str(version.number))

    again = Batch.objects.latest("pk")
    assert reply["Location"] == at(again, "console_setup_check")
    assert (again.version.number, again.tasks.count()) == (2, 30)
    rest.refresh_from_db()
    assert rest.state == "cancelled"


def test_members_read_it_managers_decide_and_others_find_nothing() -> None:
    client, pilot, rest = a_pilot()
    viewer, reviewer = member(pilot.requester, "viewer"), member(pilot.requester, "reviewer")
    assert "Your decision" not in text_of(viewer.get(at(pilot)))
    for name in ("console_pilot_go", "console_pilot_change"):
        assert reviewer.post(at(pilot, name), {"form_key": "k" * 22}).status_code == 403
    assert viewer.post(at(pilot, "console_pilot_results"), {"form_key": "k" * 22}).status_code == 403
    assert owner(make.make_requester()).get(at(pilot)).status_code == 404
    # A batch that is no pilot has no such page.
    assert client.get(at(rest)).status_code == 404


def test_labels_stand_against_each_other_with_the_tasks_behind_and_every_chart_can_be_taken_home() -> None:
    client, pilot, _rest = a_pilot()
    answered(pilot, "cat", "cat", "dog")
    send(client, at(pilot), to=at(pilot, "console_pilot_results"))
    markup = client.get(at(pilot)).content.decode()
    files = at(pilot, "console_pilot_file")

    assert 'class="heat"' in markup
    assert f"{at(pilot, 'console_batch_tasks')}?field=label&amp;one=cat&amp;other=dog" in markup
    assert f'href="{at(pilot, "console_batch_task")}?id=t' in markup, "examples lead to their tasks"
    for table, header, count in (
        ("agreement-label", "figure,value,low,high", 2),
        ("confusion-label", "one,other,pairs,share", 4),
        ("error", "field,expected,low,high,note", 1),
    ):
        assert f"{files}?table={table}" in markup
        first, *rows = client.get(f"{files}?table={table}").content.decode().splitlines()
        assert (first, len(rows) >= count) == (header, True), table
    [cats, between, _again, dogs] = client.get(f"{files}?table=confusion-label").content.decode().splitlines()[1:]
    assert [line.split(",")[:3] for line in (cats, between, dogs)] == [
        ["Cat", "Cat", "6"], ["Cat", "Dog", "12"], ["Dog", "Dog", "0"],
    ]  # fmt: skip
    assert client.get(f"{files}?table=gold").status_code == 404
    assert {row.after["table"] for row in Act.objects.filter(act="export.figures")} == {
        "agreement", "confusion", "error",
    }  # fmt: skip

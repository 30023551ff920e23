"""The batches of an organisation in a list, and a new one."""

import pytest
from django.urls import reverse

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.console.members import member, owner, send
from tests.web.visitors import text_of
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.pay import settle_due

pytestmark = pytest.mark.django_db


def test_the_list_tells_state_progress_and_spend_of_each_and_nothing_of_others() -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    batch = make.make_batch(4, project=project, name="Pets in the park", overlap=1)
    worker = make.make_worker()
    leases = make.take(worker, batch, 2)
    make.answer(worker, leases)
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=[leases[0].id])
    with one_transaction(principal="test"):
        settle_due(worker_id=worker.pk)
    make.make_draft(project, name="Pets at night", kind="pilot")
    make.make_batch(1, name="Not mine")

    page = member(requester, "viewer").get(reverse("console_batches", args=[requester.public_id]))

    said = text_of(page)
    assert "Pets in the park" in said
    assert "2 of 4 answers" in said
    # One answer of 0.02 with its fee of a tenth.
    assert "0.022 EUR" in said
    assert "Pets at night Pilot" in said
    assert "no items yet" in said
    assert "Not mine" not in said
    # A viewer makes none.
    assert reverse("console_batch_new", args=[project.public_id]) not in page.content.decode()


def test_the_list_is_narrowed_by_state_and_project() -> None:
    requester = make.make_requester()
    one, other = make.make_project(requester), make.make_project(requester)
    make.make_batch(1, project=one, name="Runs here")
    make.make_draft(other, name="Waits there")
    client, address = owner(requester), reverse("console_batches", args=[requester.public_id])

    drafts = text_of(client.get(address, {"state": "draft"}))
    assert ("Waits there" in drafts, "Runs here" in drafts) == (True, False)
    of_one = text_of(client.get(address, {"project": one.public_id}))
    assert ("Waits there" in of_one, "Runs here" in of_one) == (False, True)
    assert "No batch fits" in text_of(client.get(address, {"state": "settled"}))
    empty = make.make_requester()
    assert "No batches yet" in text_of(owner(empty).get(reverse("console_batches", args=[empty.public_id])))


def test_a_list_of_many_costs_no_more_statements_than_one_of_few(django_assert_max_num_queries: object) -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    client, address = owner(requester), reverse("console_batches", args=[requester.public_id])
    for number in range(3):
        make.make_draft(project, name=f"Batch {number}")
    client.get(address)
    with django_assert_max_num_queries(14):  # type: ignore[operator]
        client.get(address)


def test_a_new_batch_is_a_draft_from_its_first_step_on() -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    client, address = member(requester, "manager"), reverse("console_batch_new", args=[project.public_id])

    reply = send(client, address, name="Pets in the park", kind="pilot", overlap="5", version="1")

    batch = Batch.objects.get()
    assert (reply.status_code, reply["Location"]) == (303, reverse("console_setup_items", args=[batch.public_id]))
    assert (batch.name, batch.kind, batch.overlap, batch.state) == ("Pets in the park", "pilot", 5, "draft")
    assert (batch.version.number, batch.quality) == (1, {"preset": "balanced"})


def test_another_batch_of_a_project_begins_with_the_terms_of_the_last() -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    make.make_batch(1, project=project, price_micros=70_000, time_limit_s=120, audience={"country": {"in": ["DE"]}})
    address = reverse("console_batch_new", args=[project.public_id])

    send(owner(requester), address, name="Again", kind="regular", overlap="2", version="1")

    batch = Batch.objects.latest("pk")
    assert (batch.price_micros, batch.time_limit_s, batch.overlap, batch.kind) == (70_000, 120, 2, "regular")
    assert batch.audience == {"country": {"in": ["DE"]}}


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_is_kept() -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    address = reverse("console_batch_new", args=[project.public_id])

    reply = send(owner(requester), address, name="", kind="regular", overlap="51", version="1")

    assert reply.status_code == 422
    assert 'value="51"' in reply.content.decode()
    assert "less than or equal to 50" in text_of(reply)
    assert Batch.objects.count() == 0


def test_a_form_that_is_sent_twice_makes_one_batch() -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    client, address = owner(requester), reverse("console_batch_new", args=[project.public_id])
    said = {"form_key": "a" * 22, "name": "Once", "kind": "regular", "overlap": "1", "version": "1"}
    first, second = client.post(address, said), client.post(address, said)
    assert (first.status_code, first["Location"]) == (303, second["Location"])
    assert Batch.objects.count() == 1


def test_below_a_manager_nobody_makes_one() -> None:
    requester = make.make_requester()
    address = reverse("console_batch_new", args=[make.make_project(requester).public_id])
    assert member(requester, "reviewer").get(address).status_code == 403
    assert owner(make.make_requester()).get(address).status_code == 404

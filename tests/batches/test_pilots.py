"""A pilot takes a few items out of a draft; what waits for it is published afterwards, or tried again."""

from random import Random
from typing import Any

import pytest

from marketplace.batches.commands.pilots import copy_batch, start_pilot
from marketplace.batches.costs import Platform
from marketplace.batches.errors import CopyTooLarge, NothingToPublish, RowsInvalid, WrongState
from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import estimate, imports_of, sample_of
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.errors import NotEnough
from marketplace.projects.commands import add_version, publish_version
from tests import factories as make

PLATFORM = Platform(fee_basis_points=2_000, dispute_basis_points=500)


def draft(tasks: int = 40, gold: int = 20, **terms: Any) -> Batch:
    batch = make.make_draft(**terms)
    make.add_rows(batch, make.rows(tasks, gold))
    return batch


def begin(batch: Batch, items: int, seed: int = 1) -> Batch:
    with one_transaction(principal="test"):
        return start_pilot(batch_id=batch.pk, items=items, chance=Random(seed))


def names(batch: Batch) -> set[str]:
    return set(Task.objects.filter(batch=batch).values_list("external_id", flat=True))


@pytest.mark.django_db
def test_a_pilot_has_some_items_and_gold_and_the_draft_the_others() -> None:
    rest = draft(kind="pilot", name="Pets")
    everything = names(rest)

    pilot = begin(rest, 10)

    rest.refresh_from_db()
    assert (pilot.state, pilot.kind, pilot.name) == ("published", "pilot", "Pets – pilot")
    assert (rest.state, rest.kind, rest.pilot_id, rest.name) == ("draft", "regular", pilot.pk, "Pets")
    # A quarter of the items; of the gold as many, but at least ten.
    assert (estimate(pilot).tasks, estimate(pilot).gold_tasks) == (20, 10)
    assert (estimate(rest).tasks, estimate(rest).gold_tasks) == (40, 10)
    assert names(pilot) | names(rest) == everything
    assert not names(pilot) & names(rest)
    assert (pilot.price_micros, pilot.audience, pilot.fee_micros) == (rest.price_micros, rest.audience, rest.fee_micros)
    # Its items are an import of its own, so that its first task is found like any other's.
    assert [(one.kind, one.tasks, one.gold_tasks) for one in imports_of(pilot)] == [("copy", 20, 10)]
    assert sample_of(pilot) is not None
    assert make.take(make.make_worker(), pilot)
    make.published(rest)
    assert [found.name for found in check_promises() if found.violations] == []


@pytest.mark.django_db
def test_items_are_drawn_by_chance_and_not_by_their_order() -> None:
    drawn = {frozenset(names(begin(draft(30, 0), 5, seed))) for seed in range(4)}
    assert len(drawn) > 1
    assert frozenset(f"t{n}" for n in range(5)) not in drawn


@pytest.mark.django_db
def test_a_draft_that_has_no_more_items_is_the_pilot_itself() -> None:
    batch = draft(5, 1)
    pilot = begin(batch, 5)
    assert (pilot.pk, pilot.kind, pilot.state, Batch.objects.count()) == (batch.pk, "pilot", "published", 1)


@pytest.mark.django_db
def test_a_refused_pilot_leaves_the_draft_as_it_was() -> None:
    batch = draft(30, 0)
    make.spend_all(batch, but=1)
    with pytest.raises(NotEnough):
        begin(batch, 10)
    assert (estimate(batch).tasks, Batch.objects.count()) == (30, 1)
    with pytest.raises(NothingToPublish):
        begin(make.make_draft(), 1)
    with pytest.raises(WrongState):
        begin(make.make_batch(1), 1)


@pytest.mark.django_db
def test_all_items_are_tried_again_under_a_new_version_and_what_waited_is_given_up() -> None:
    rest = draft(20, 4, order="priority")
    everything = names(rest)
    pilot = begin(rest, 5)
    interface = {**make.INTERFACE, "data": [{"name": "text", "type": "text", "title": "The animal"}]}
    with one_transaction(principal="test"):
        version = add_version(project_id=pilot.project_id, interface=interface, instructions="Better.")
    with one_transaction(principal="test"):
        version = publish_version(project=pilot.project, number=version.number)

    with one_transaction(principal="test"):
        again = copy_batch(batch_id=pilot.pk, version=version, platform=PLATFORM, items=True)

    rest.refresh_from_db()
    assert (again.state, again.kind, again.version.number, again.pilot) == ("draft", "regular", 2, None)
    assert (names(again), estimate(again).gold_tasks, again.order) == (everything, 4, "priority")
    assert (rest.state, pilot.state) == ("cancelled", "published")


@pytest.mark.django_db
def test_without_its_items_a_copy_has_the_terms_and_follows_the_pilot() -> None:
    pilot = begin(draft(3, 0, price_micros=70_000), 3)
    with one_transaction(principal="test"):
        more = copy_batch(batch_id=pilot.pk, version=pilot.version, platform=PLATFORM, items=False, name="More pets")
    assert (more.name, more.price_micros, more.pilot_id, estimate(more).tasks) == ("More pets", 70_000, pilot.pk, 0)
    # A new batch has the fee of its own day; the pilot's is as it was.
    assert (more.fee_micros, more.dispute_basis_points, pilot.fee_micros) == (14_000, 500, 7_000)


@pytest.mark.django_db
def test_items_that_do_not_fit_the_version_are_named_and_nothing_is_made() -> None:
    batch = make.make_batch(2)
    interface = {**make.INTERFACE, "data": [{"name": "picture", "type": "image"}]}
    with one_transaction(principal="test"):
        version = add_version(project_id=batch.project_id, interface=interface, instructions="")
    with one_transaction(principal="test"):
        version = publish_version(project=batch.project, number=version.number)
    with pytest.raises(RowsInvalid), one_transaction(principal="test"):
        copy_batch(batch_id=batch.pk, version=version, platform=PLATFORM, items=True)
    assert Batch.objects.count() == 1


@pytest.mark.django_db
def test_more_items_than_fit_into_memory_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make.make_batch(3)
    monkeypatch.setattr("marketplace.batches.commands.pilots.COPIED_MAX", 2)
    with pytest.raises(CopyTooLarge), one_transaction(principal="test"):
        copy_batch(batch_id=batch.pk, version=batch.version, platform=PLATFORM, items=True)

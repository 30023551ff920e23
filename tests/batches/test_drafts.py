"""A draft is set up step by step: terms, overlap, items and known answers change until it is published."""

from typing import Any

import psycopg
import pytest
from django.db import transaction

from marketplace.accounts.models import Act
from marketplace.batches.commands.create import change_terms
from marketplace.batches.commands.items import set_keys, take_keys, take_out
from marketplace.batches.commands.lifecycle import publish_batch
from marketplace.batches.costs import Platform
from marketplace.batches.errors import KeysInvalid, NoSuchItems, NothingToPublish, TermsInvalid, WrongState
from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import estimate, progress
from marketplace.common.database import run
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.gold.queries import items_page

PLATFORM = Platform(fee_basis_points=2_000, dispute_basis_points=0)


def change(batch: Batch, **terms: Any) -> Batch:
    with one_transaction(principal="test"):
        return change_terms(batch_id=batch.pk, platform=PLATFORM, **terms)


def known(batch: Batch) -> dict[str, Any]:
    """The keys of the batch by external id."""
    with one_transaction(principal="test"):
        return {item.task: item.key for item in items_page(batch, gold=True, after_id=0, limit=100)}


def draft(tasks: int = 3, gold: int = 0, **terms: Any) -> Batch:
    batch = make.make_draft(**terms)
    make.add_rows(batch, make.rows(tasks, gold))
    return batch


@pytest.mark.django_db
def test_terms_that_are_named_change_and_the_others_stay() -> None:
    batch = draft(time_limit_s=100)
    before = Batch.objects.filter(pk=batch.pk).values().get()

    changed = change(batch, price_micros=30_000, audience={"country": {"in": ["DE"]}}, gold={"min_share": 0.01})

    after = Batch.objects.filter(pk=batch.pk).values().get()
    assert changed.price_micros == 30_000
    different = {name for name in after if after[name] != before[name]}
    assert different == {"price_micros", "fee_micros", "audience", "gold_policy"}
    # The fee's share is as it was when the batch was made, whatever the platform asks now.
    assert after["fee_micros"] == 3_000
    assert after["gold_policy"] == {**before["gold_policy"], "min_share": 0.01}


@pytest.mark.django_db
def test_a_lease_may_grow_with_the_time_limit_where_nothing_else_was_said() -> None:
    assert change(draft(time_limit_s=100), time_limit_s=200).lease_max_s == 800
    assert change(draft(time_limit_s=100, lease_max_s=150), time_limit_s=120).lease_max_s == 150


@pytest.mark.django_db
def test_wrong_terms_are_named_and_nothing_is_changed() -> None:
    batch = draft()
    with pytest.raises(TermsInvalid) as refused:
        change(batch, price_micros=0, name=" ", order="sequential", quality={"preset": "x"})
    fields = {error["field"].partition(".")[0] for error in refused.value.facts["errors"]}
    assert fields == {"price_micros", "name", "order", "quality"}
    batch.refresh_from_db()
    assert (batch.price_micros, batch.name, batch.order) == (make.PRICE, "First", "spread")


@pytest.mark.django_db
def test_the_order_changes_while_there_are_no_items() -> None:
    assert change(make.make_draft(), order="sequential").order == "sequential"


@pytest.mark.django_db
def test_another_overlap_is_that_of_all_items_but_those_that_came_with_their_own() -> None:
    batch = make.make_draft(overlap=3)
    make.add_rows(batch, [*make.rows(2, 1), {"external_id": "own", "data": {"text": "a"}, "overlap": 7}])
    assert (estimate(batch).places, estimate(batch, if_terms={"overlap": 5}).places) == (16, 22)

    changed = change(batch, overlap=5)

    assert changed.overlap == 5
    assert dict(Task.objects.values_list("external_id", "overlap")) == {"t0": 5, "t1": 5, "g0": 5, "own": 7}
    assert (estimate(changed).places, progress(changed).places) == (22, 22)
    assert change(batch, overlap=1).overlap == 1
    assert estimate(Batch.objects.get(pk=batch.pk)).places == 10
    make.published(batch)
    assert [found.name for found in check_promises() if found.violations] == []


@pytest.mark.django_db
def test_a_cost_is_asked_for_under_terms_that_are_not_the_batchs_yet() -> None:
    batch = draft(tasks=2, overlap=2)
    asked = estimate(batch, if_terms={"price_micros": 50_000, "overlap": 3, "dispute_basis_points": 10_000})
    assert (asked.places, asked.reward_micros, asked.fee_micros) == (6, 300_000, 30_000)
    assert asked.disputes_micros == 330_000
    assert estimate(batch).reward_micros == 4 * make.PRICE


@pytest.mark.django_db
def test_nothing_of_a_published_batch_changes_any_more() -> None:
    batch = make.make_batch(2, 1)
    acts = [
        lambda: change_terms(batch_id=batch.pk, platform=PLATFORM, price_micros=1),
        lambda: set_keys(batch_id=batch.pk, keys=[{"task": "t0", "key": {"label": "cat"}}]),
        lambda: take_keys(batch_id=batch.pk, tasks=["g0"]),
        lambda: take_out(batch_id=batch.pk, tasks=["t0"]),
    ]
    for act in acts:
        with pytest.raises(WrongState), one_transaction(principal="test"):
            act()
    assert known(batch) == {"g0": {"label": "cat"}}
    assert Task.objects.filter(batch=batch).count() == 3


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT batches_set_overlap(%s, 9)",
        "SELECT batches_take_out(%s, ARRAY(SELECT id FROM batches_task))",
        "SELECT batches_take_keys(%s, ARRAY(SELECT id FROM batches_task))",
    ],
)
def test_the_database_itself_refuses_to_change_what_is_in_a_published_batch(
    committed: str, as_owner: psycopg.Connection[Any], attack: str
) -> None:
    batch = make.make_draft(overlap=1)
    make.add_rows(batch, make.rows(1, 1))
    with as_owner.transaction(force_rollback=True):
        as_owner.execute(attack, [batch.pk])
    make.published(batch)
    with pytest.raises(psycopg.errors.CheckViolation, match="no draft"):
        as_owner.execute(attack, [batch.pk])


@pytest.mark.django_db
def test_terms_are_written_to_drafts_only_and_by_no_other_way() -> None:
    batch = make.make_batch(1)
    with transaction.atomic():
        assert run("SELECT 1 WHERE batches_set_terms(%s, '{\"price_micros\": 1}') = 1", [batch.pk]) == 0
    batch.refresh_from_db()
    assert batch.price_micros == make.PRICE
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        run("UPDATE batches_batch SET price_micros = 1")


def told_of_keys(batch: Batch) -> list[tuple[str, int]]:
    """What the audit log says of the batch's keys: which act, of how many."""
    found = Act.objects.filter(act__startswith="gold.keys_", subject_id=str(batch.public_id)).order_by("pk")
    return [(row.act, row.after["keys"]) for row in found]


@pytest.mark.django_db
def test_items_become_gold_by_their_known_answers_and_ordinary_again() -> None:
    batch = draft(tasks=3, overlap=2)
    with one_transaction(principal="test"):
        assert set_keys(batch_id=batch.pk, keys=[{"task": "t1", "key": {"label": "dog"}}]) == 1
    assert known(batch) == {"t1": {"label": "dog"}}
    assert estimate(batch).gold_tasks == 1
    assert {task for task, _, _ in make.queue(batch)} == {
        task.pk for task in Task.objects.filter(batch=batch) if task.external_id != "t1"
    }
    with one_transaction(principal="test"):
        set_keys(batch_id=batch.pk, keys=[{"task": "t1", "key": {"label": "cat"}}])
    assert known(batch) == {"t1": {"label": "cat"}}

    with one_transaction(principal="test"):
        assert take_keys(batch_id=batch.pk, tasks=["t1", "t0"]) == 1
    assert (known(batch), estimate(batch).gold_tasks, len(make.queue(batch))) == ({}, 0, 3)
    assert told_of_keys(batch) == [("gold.keys_set", 1), ("gold.keys_set", 1), ("gold.keys_taken", 1)]
    make.published(batch)
    assert [found.name for found in check_promises() if found.violations] == []


@pytest.mark.django_db
def test_keys_that_are_wrong_are_named_and_none_is_kept() -> None:
    batch = draft(tasks=2)
    keys = [
        {"task": "t0", "key": {"label": "cat"}},
        {"task": "nobody", "key": {"label": "cat"}},
        {"task": "t1", "key": {"label": "whale"}},
    ]
    with pytest.raises(KeysInvalid) as refused, one_transaction(principal="test"):
        set_keys(batch_id=batch.pk, keys=keys)
    assert [(error["item"], error["field"]) for error in refused.value.facts["errors"]] == [
        (1, "task"),
        (2, "gold.label"),
    ]
    assert known(batch) == {}


@pytest.mark.django_db
def test_gold_alone_is_still_no_work() -> None:
    batch = draft(tasks=1)
    with one_transaction(principal="test"):
        set_keys(batch_id=batch.pk, keys=[{"task": "t0", "key": {"label": "cat"}}])
    with pytest.raises(NothingToPublish), one_transaction(principal="test"):
        publish_batch(batch_id=batch.pk)


@pytest.mark.django_db
def test_items_are_taken_out_with_all_that_belongs_to_them() -> None:
    batch = draft(tasks=3, gold=1, overlap=2)
    with one_transaction(principal="test"):
        assert take_out(batch_id=batch.pk, tasks=["t0", "g0"]) == 2
    cost = estimate(batch)
    assert (cost.tasks, cost.gold_tasks, cost.places, len(make.queue(batch))) == (2, 0, 4, 2)
    assert told_of_keys(batch) == [("gold.keys_taken", 1)], "of the gold item, and of the other none"
    # Their names are free again.
    make.add_rows(batch, make.rows(1))
    with pytest.raises(NoSuchItems), one_transaction(principal="test"):
        take_out(batch_id=batch.pk, tasks=["t1", "nobody"])
    assert estimate(batch).tasks == 3
    make.published(batch)
    assert [found.name for found in check_promises() if found.violations] == []

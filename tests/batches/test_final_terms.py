"""What a batch promised at its publication stays, whoever asks; while it is a draft everything may change."""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.commands.lifecycle import close_batch, settle
from marketplace.batches.models import Task
from marketplace.common.database import run
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make

TERMS = {
    "public_id": "gen_random_uuid()",
    "currency": "'USD'",
    "price_micros": "price_micros - 1",
    "fee_micros": "fee_micros + 1",
    "overlap": "overlap + 1",
    "time_limit_s": "1",
    "auto_accept_s": "auto_accept_s + 1",
    "lease_cap": "lease_cap + 1",
    "audience": """'{"score": {"min": 0.9}}'""",
    "gold_policy": "'{}'",
    "quality": """'{"preset": "fast"}'""",
    "published_at": "now() - interval '1 year'",
}


@pytest.mark.parametrize("term", TERMS)
def test_even_the_owner_cannot_change_a_term_once_the_batch_is_published(
    committed: str, as_owner: psycopg.Connection[Any], term: str
) -> None:
    batch = make.make_draft()
    make.add_rows(batch, make.rows(1))
    change = f"UPDATE batches_batch SET {term} = {TERMS[term]}"
    if term != "published_at":
        with as_owner.transaction(force_rollback=True):
            assert as_owner.execute(change).rowcount == 1
    make.published(batch)
    with pytest.raises(psycopg.errors.CheckViolation, match="terms of a published batch"):
        as_owner.execute(change)


@pytest.mark.django_db
def test_no_task_is_added_to_a_published_batch() -> None:
    batch = make.make_draft(overlap=1)
    make.add_rows(batch, make.rows(1))
    add = (
        "INSERT INTO batches_task (id, batch_id, external_id, overlap, reserved)"
        " VALUES (nextval('batches_task_id_seq'), %s, %s, 1, false)"
    )
    with transaction.atomic():
        assert run(add, [batch.pk, "while it is a draft"]) == 1
        transaction.set_rollback(True)
    make.published(batch)
    with pytest.raises(IntegrityError, match="draft batches only"), transaction.atomic():
        run(add, [batch.pk, "afterwards"])
    assert Task.objects.filter(batch=batch).count() == 1
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.django_db
@pytest.mark.parametrize("again", ["NULL", "settled_at + interval '1 s'"])
def test_a_batch_settles_once(again: str) -> None:
    batch = make.make_batch(tasks=1)
    with one_transaction(principal="test"):
        close_batch(batch_id=batch.pk)
    with one_transaction(principal="test"):
        assert settle(batch_id=batch.pk).settled_at is not None
    with pytest.raises(IntegrityError, match="settles once"), transaction.atomic():
        run(f"UPDATE batches_batch SET settled_at = {again}")

"""Tasks, payloads and queued places stay together by a look for each statement, not by foreign keys for each row."""

from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, transaction

from marketplace.batches.models import Task
from marketplace.common.database import run
from marketplace.common.promises import check_promises
from tests import factories as make

TASK = "INSERT INTO batches_task (id, batch_id, external_id, overlap) VALUES (%s, %s, %s, 1)"
PAYLOAD = "INSERT INTO batches_payload (task_id, batch_id, data) VALUES (%s, %s, '{}')"


def refused(sql: str, params: list[Any], wanted: str) -> None:
    with pytest.raises(DatabaseError, match=wanted), transaction.atomic():
        run(sql, params)


@pytest.mark.django_db
def test_what_belongs_to_a_task_comes_after_it_and_goes_before_it() -> None:
    draft, other = make.make_draft(), make.make_draft()
    make.add_rows(draft, make.rows(1))
    task = Task.objects.get(batch=draft)
    refused(TASK, [10**9, 10**9, "x"], "draft batches only")
    refused(PAYLOAD, [10**9, draft.pk], "belongs to a task of its batch")
    run(TASK, [10**9, draft.pk, "x"])
    refused(PAYLOAD, [10**9, other.pk], "belongs to a task of its batch")
    refused(PAYLOAD, [10**9, 10**9], "belongs to a task of its batch")
    assert run(PAYLOAD, [10**9, draft.pk]) == 1
    refused(PAYLOAD, [task.pk, draft.pk], "duplicate key")


def as_owner_refused(as_owner: psycopg.Connection[Any], sql: str, wanted: str) -> None:
    with pytest.raises(psycopg.Error, match=wanted):
        as_owner.execute(sql)


def test_even_the_owner_takes_no_task_from_what_belongs_to_it(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    draft = make.make_draft()
    make.add_rows(draft, make.rows(1))
    for table, column in (("task", "id"), ("payload", "task_id"), ("openplace", "task_id")):
        as_owner_refused(as_owner, f"UPDATE batches_{table} SET {column} = {column} + 1", "stay together")
        as_owner_refused(as_owner, f"UPDATE batches_{table} SET batch_id = batch_id + 1", "stay together")
    as_owner_refused(as_owner, "DELETE FROM batches_task", "something still belongs")
    as_owner.execute("DELETE FROM batches_payload")
    as_owner_refused(as_owner, "DELETE FROM batches_task", "something still belongs")
    as_owner_refused(as_owner, "DELETE FROM batches_batch", "a batch is never deleted")
    as_owner_refused(as_owner, "TRUNCATE batches_batch", "foreign key")
    as_owner_refused(as_owner, "TRUNCATE batches_task", "foreign key")


def found() -> list[str]:
    return [finding.name for finding in check_promises() if finding.violations]


def test_a_missing_guard_and_an_orphan_are_found(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    draft = make.make_draft()
    make.add_rows(draft, make.rows(2))
    assert found() == []
    as_owner.execute("ALTER TABLE batches_payload DISABLE TRIGGER payload_of_task")
    assert found() == ["inv_r17_tasks"]
    as_owner.execute("INSERT INTO batches_payload (task_id, batch_id, data) VALUES (10^9, 1, '{}')")
    as_owner.execute("ALTER TABLE batches_payload ENABLE ALWAYS TRIGGER payload_of_task")
    assert found() == ["inv_r17_tasks"]
    as_owner.execute("DELETE FROM batches_payload WHERE task_id = 10^9")
    assert found() == []
    as_owner.execute("INSERT INTO batches_openplace (task_id, batch_id, bucket, rank) VALUES (10^9, 1, 0, 0)")
    assert found() == ["inv_r17_tasks"]

"""What the database refuses of imports, whoever asks, and what it finds where a guard is gone."""

from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction

from marketplace.batches.commands.imports import add_part, advance, cancel_import, receive
from marketplace.batches.models import Batch, Import, Task
from marketplace.common.database import rows, run, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make

COLUMNS = (
    "batch_id, state, kind, principal, key, attempt, bytes_total, bytes_done, rows_read, errors, error_count, tasks,"
    " gold_tasks, reserved_tasks, places, after_task_id, made_at, touched_at"
)


def refused(sql: str, params: list[Any], wanted: str) -> None:
    with pytest.raises(DatabaseError, match=wanted), transaction.atomic():
        run(sql, params)


def receiving(draft: Batch) -> Import:
    with one_transaction(principal="test"):
        it = receive(batch_id=draft.pk, principal="test", key="k", kind="jsonl")
    assert it is not None
    return it


@pytest.mark.django_db
@pytest.mark.usefixtures("untold")
def test_the_database_publishes_no_batch_beside_an_unfinished_import() -> None:
    draft = make.make_draft()
    make.add_rows(draft, make.rows(2))
    it = receiving(draft)
    sql = "UPDATE batches_batch SET state = 'published', published_at = market_now() WHERE id = %s"
    refused(sql, [draft.pk], "an import is not finished")
    with one_transaction(principal="test"):
        cancel_import(import_id=it.pk)
    refused(sql, [draft.pk], "an import is not finished")
    run("UPDATE batches_import SET finished_at = market_now() WHERE id = %s", [it.pk])
    assert run(sql, [draft.pk]) == 1


@pytest.mark.django_db
def test_a_batch_takes_one_import_at_a_time() -> None:
    draft = make.make_draft()
    it = receiving(draft)
    refused(
        f"INSERT INTO batches_import (public_id, {COLUMNS}) SELECT gen_random_uuid(), {COLUMNS} FROM batches_import"
        " WHERE id = %s",
        [it.pk],
        "one_import_at_a_time",
    )


@pytest.mark.django_db
def test_only_what_failed_or_was_cancelled_can_be_taken_away() -> None:
    draft = make.make_draft()
    make.add_rows(draft, make.rows(3))
    done = draft.imports.get()
    discard = "SELECT batches_discard_import(%s, 100)"
    refused(discard, [done.pk], "the import stays")
    refused(discard, [receiving(draft).pk], "the import stays")
    refused(discard, [0], "the batch was published|the import stays")
    published = make.make_batch(tasks=2)
    refused(discard, [published.imports.get().pk], "the batch was published")
    assert Task.objects.filter(batch__in=[draft, published]).count() == 5
    refused("DELETE FROM batches_task WHERE batch_id = %s", [draft.pk], "permission denied")
    refused("DELETE FROM batches_import WHERE id = %s", [done.pk], "permission denied")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("state = 'failed', tasks = 0, places = 0", "a finished import does not change"),
        ("finished_at = NULL, state = 'cancelled'", "a finished import does not change"),
        ("tasks = 1", "a finished import does not change"),
        ("after_task_id = 0", "permission denied"),
        ("batch_id = 1", "permission denied"),
    ],
)
def test_a_finished_import_does_not_change(change: str, wanted: str) -> None:
    draft = make.make_draft()
    make.add_rows(draft, make.rows(3))
    refused(f"UPDATE batches_import SET {change} WHERE batch_id = %s", [draft.pk], wanted)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "change", "wanted"),
    [
        ("receiving", "state = 'done', finished_at = market_now()", "does not go from receiving to done"),
        ("receiving", "state = 'failed'", "does not go from receiving to failed"),
        ("running", "state = 'receiving'", "does not go from running to receiving"),
        ("cancelled", "state = 'running'", "does not go from cancelled to running"),
        ("cancelled", "tasks = 1, finished_at = market_now()", "import_finished"),
        ("running", "finished_at = market_now()", "import_finished"),
        ("running", "state = 'done'", "import_finished"),
        ("running", "bytes_done = -1", "goes forward"),
    ],
)
def test_an_import_takes_legal_steps_only(before: str, change: str, wanted: str) -> None:
    it = receiving(make.make_draft())
    if before != "receiving":
        run("UPDATE batches_import SET state = %s WHERE id = %s", [before, it.pk])
    refused(f"UPDATE batches_import SET {change} WHERE id = %s", [it.pk], wanted)


@pytest.mark.django_db
def test_an_import_begins_in_a_draft_only() -> None:
    published = make.make_batch(tasks=1)
    refused(
        f"INSERT INTO batches_import (public_id, {COLUMNS}) VALUES (gen_random_uuid(), %s, 'running', 'jsonl', '', '',"
        " 1, 0, 0, 0, '[]', 0, 0, 0, 0, 0, 0, market_now(), market_now())",
        [published.pk],
        "draft batches only",
    )


def found() -> set[str]:
    return {finding.name for finding in check_promises() if finding.violations}


@pytest.mark.usefixtures("untold")
def test_parts_that_stay_an_import_that_miscounts_and_a_publication_beside_one_are_found(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    draft = make.make_draft()
    make.add_rows(draft, make.rows(2))
    it = receiving(draft)
    with one_transaction(principal="test"):
        add_part(of=it, number=0, body=b"x")
    assert found() == set()

    as_owner.execute("ALTER TABLE batches_import DISABLE TRIGGER import_step")
    as_owner.execute("UPDATE batches_import SET tasks = 1 WHERE id = %s", [it.pk])
    assert found() == {"inv_r32_counts", "inv_r17_tasks"}
    as_owner.execute(
        "UPDATE batches_import SET tasks = 0, state = 'done', finished_at = made_at WHERE id = %s", [it.pk]
    )
    assert found() == {"inv_r32", "inv_r17_tasks"}
    as_owner.execute("UPDATE batches_import SET state = 'running', finished_at = NULL WHERE id = %s", [it.pk])
    as_owner.execute("ALTER TABLE batches_import ENABLE ALWAYS TRIGGER import_step")
    as_owner.execute("ALTER TABLE batches_batch DISABLE TRIGGER imports_finished")
    as_owner.execute(
        "UPDATE batches_batch SET state = 'published', published_at = market_now() WHERE id = %s", [draft.pk]
    )
    assert {"inv_r32_drafts", "inv_r17_tasks"} <= found()
    assert value("SELECT count(*) FROM batches_importpart") == 1


@pytest.mark.slow
def test_imports_of_every_end_are_migrated_back_and_forth(
    committed: str,
    migrator: Any,
) -> None:
    """Without a body's digest, as a cancelled one has none, an import has no older form."""
    done, cancelled = make.make_batch(tasks=2), make.make_draft()
    it = receiving(cancelled)
    with one_transaction(principal="test"):
        cancel_import(import_id=it.pk)
    for _step in advance(it.pk):
        pass
    call_command("migrate", "batches", "0004", database="owner", verbosity=0)
    assert rows("SELECT batch_id FROM batches_import") == [(done.pk,)]
    call_command("migrate", "batches", database="owner", verbosity=0)
    assert rows("SELECT batch_id, state FROM batches_import") == [(done.pk, "done")]

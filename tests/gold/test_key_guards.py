"""Keys of gold and what was committed to are kept by the database, whoever writes."""

from typing import Any

import psycopg
import pytest
from django.db import transaction

from marketplace.common.database import rows, run
from marketplace.common.promises import check_promises
from tests import factories as make


@pytest.mark.parametrize(
    ("attack", "refused"),
    [
        ('UPDATE batches_goldkey SET key = \'{"label": "dog"}\'', "key_final"),
        ("UPDATE batches_goldkey SET salt = sha256(salt)", "key_final"),
        ("UPDATE batches_goldkey SET sealed = 2", "key_final"),
        ("UPDATE batches_goldkey SET cap = cap + 1", "key_final"),
        ("UPDATE batches_goldkey SET origin = 'consensus'", "key_final"),
        ('UPDATE batches_goldkey SET shown = shown + 1, key = \'{"label": "dog"}\'', "key_final"),
        ("UPDATE batches_goldkey SET state = 'retired', shown = shown + 1", "key_live"),
        ("DELETE FROM batches_goldkey", "key_final"),
        ("TRUNCATE batches_goldkey", "append_only"),
        ("UPDATE gold_commitment SET root = sha256(root)", "append_only"),
        ("DELETE FROM gold_commitment", "append_only"),
    ],
)
def test_even_the_owner_cannot_change_what_was_committed_to_by_a_slip(
    as_owner: psycopg.Connection[Any], attack: str, refused: str
) -> None:
    make.make_batch(tasks=2, gold=1)
    with pytest.raises(psycopg.Error) as caught:
        as_owner.execute(attack)
    assert caught.value.diag.constraint_name == refused


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE batches_goldkey SET key = '{}'",
        "UPDATE batches_goldkey SET state = 'retired'",
        "SELECT seed FROM gold_commitment",
        "SELECT salt FROM batches_goldkey",
        "SELECT gold_set_state(1, 1, '{live}', 'flagged')",
        "SELECT gold_offer(1, 1, '{}', 0, 1.0, false)",
        "SELECT gold_leaves(1, 1::smallint, 'x', 256)",
        "SELECT given FROM gold_verdict",
        "INSERT INTO gold_commitment (batch_id, seq, root, leaves, seed) VALUES (1, 9, 'x', 1, 'x')",
        "INSERT INTO batches_goldkey (task_id, batch_id, key, cap, origin) VALUES (1, 1, '{}', 1, 'consensus')",
    ],
)
@pytest.mark.django_db
def test_the_runtime_role_cannot_look_or_write_beside_the_functions(attack: str) -> None:
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        run(attack)


@pytest.mark.django_db
def test_a_key_comes_with_its_task_only() -> None:
    batch = make.make_batch(tasks=2, gold=1)
    [(task,)] = rows("SELECT id FROM batches_task WHERE batch_id = %s AND external_id = 't0'", [batch.pk])
    with pytest.raises(Exception, match="comes with it"), transaction.atomic():
        run("INSERT INTO batches_goldkey (task_id, batch_id, key, cap) VALUES (%s, %s, '{}', 1)", [task, batch.pk])


@pytest.mark.parametrize("trigger", ["key_step", "closed_truncate", "gold_moves"])
def test_a_guard_that_is_missing_is_found(as_owner: psycopg.Connection[Any], trigger: str) -> None:
    as_owner.execute(f"ALTER TABLE batches_goldkey DISABLE TRIGGER {trigger}")
    assert "inv_r38_guards" in [f.name for f in check_promises() if f.violations]

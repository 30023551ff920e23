"""Audiences of the old form let in exactly whom they let in before."""

import json
from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from marketplace.common.database import rows
from tests import factories as make

OLD_AND_NEW: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"min_evidence": 5}, {}),
    ({"min_score": 0.7}, {"score": {"min": 0.7}}),
    ({"min_score": 0.7, "min_evidence": 0}, {"score": {"min": 0.7}}),
    (
        {"min_score": 0.6, "min_evidence": 4},
        {"any": [{"score": {"min": 0.6}}, {"not": {"score": {"min_evidence": 4}}}]},
    ),
]


@pytest.mark.slow
def test_a_stored_audience_is_written_in_the_new_form_and_back(
    committed: str,
    as_owner: psycopg.Connection[Any],
    migrator: Any,
) -> None:
    batches = [make.make_batch(tasks=1) for _ in OLD_AND_NEW]
    newer = make.make_draft(audience={"country": {"in": ["DE"]}})
    call_command("migrate", "batches", "0006", database="owner", verbosity=0)
    with as_owner.transaction():
        as_owner.execute("ALTER TABLE batches_batch DISABLE TRIGGER batch_step")
        for batch, (old, _) in zip(batches, OLD_AND_NEW, strict=True):
            as_owner.execute("UPDATE batches_batch SET audience = %s WHERE id = %s", [json.dumps(old), batch.pk])
        as_owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        as_owner.execute("ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER batch_step")

    def stored() -> list[Any]:
        return [row[0] for row in rows("SELECT audience FROM batches_batch ORDER BY id")]

    new = [*[new for _, new in OLD_AND_NEW], newer.audience]
    call_command("migrate", "batches", "0007", database="owner", verbosity=0)
    assert stored() == new
    with pytest.raises(psycopg.errors.CheckViolation, match="terms of a published batch"):
        as_owner.execute("UPDATE batches_batch SET audience = '{}' WHERE id = %s", [batches[2].pk])
    call_command("migrate", "batches", "0006", database="owner", verbosity=0)
    assert stored() == [{}, {}, {"min_score": 0.7}, {"min_score": 0.7}, OLD_AND_NEW[4][0], newer.audience]
    call_command("migrate", "batches", "0007", database="owner", verbosity=0)
    assert stored() == new

"""What guards rows guards them from everybody: from replicas, and from the owner who only meant to tidy up."""

from typing import Any

import psycopg
import pytest
from django.apps import apps

from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.gold.commands import score_due


@pytest.mark.django_db
def test_every_trigger_is_always_enabled_so_that_a_replica_is_guarded_too() -> None:
    assert (
        rows(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'A'"
        )
        == []
    )


@pytest.mark.django_db
def test_vacuum_shortens_no_table_of_ours_since_every_event_would_wait_for_it() -> None:
    labels = [config.label for config in apps.get_app_configs() if config.name.startswith(("marketplace.", "workers."))]
    assert (
        rows(
            "SELECT c.relname, t.relname FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
            " AND split_part(c.relname, '_', 1) = ANY(%s)"
            " AND NOT ('vacuum_truncate=off' = ANY(coalesce(c.reloptions, '{}'))"
            "          AND (t.oid IS NULL OR 'vacuum_truncate=off' = ANY(coalesce(t.reloptions, '{}'))))",
            [labels],
        )
        == []
    )


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE reputation_outcome SET score = 1",
        "DELETE FROM reputation_outcome",
        "UPDATE gold_verdict SET score = 1",
        "DELETE FROM gold_verdict",
    ],
)
def test_even_the_owner_cannot_rewrite_what_came_of_an_answer(
    committed: str, as_owner: psycopg.Connection[Any], attack: str
) -> None:
    batch, worker = (
        make.make_batch(tasks=1, gold=1, gold_policy={"probation": 1, "probation_share": 1.0}),
        make.make_worker(),
    )
    make.answer(worker, make.take(worker, batch), "dog")
    with one_transaction(principal="test"):
        assert score_due() == 1
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        as_owner.execute(attack)
    assert make.outcomes() == [(0.0,), (None,)]
    assert as_owner.execute("SELECT score FROM gold_verdict").fetchall() == [(0.0,)]

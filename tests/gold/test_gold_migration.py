"""A market that runs gets the new columns, commitments and guards, and can go back, with all its keys."""

from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from marketplace.common.promises import check_promises
from tests import factories as make
from workers.gold.queries import roots_of


@pytest.mark.slow
def test_batches_that_were_published_before_are_committed_to_and_stay_as_they_are(
    committed: str,
    as_owner: psycopg.Connection[Any],
    migrator: Any,
) -> None:
    batch, empty = make.make_batch(tasks=3, gold=2), make.make_batch(tasks=2)
    draft = make.make_draft()
    make.add_rows(draft, make.rows(1, 1))
    make.answer(worker := make.make_worker(), make.take(worker, batch, 2))
    call_command("migrate", "gold", "0004", database="owner", verbosity=0)
    call_command("migrate", "batches", "0009", database="owner", verbosity=0)
    before = as_owner.execute("SELECT task_id, key, cap, shown FROM batches_goldkey ORDER BY task_id").fetchall()
    call_command("migrate", database="owner", verbosity=0)
    after = as_owner.execute("SELECT task_id, key, cap, shown FROM batches_goldkey ORDER BY task_id").fetchall()
    assert after == before
    assert [len(roots_of(one.pk, whole_hours=False)) for one in (batch, empty, draft)] == [1, 1, 0]
    [(salts, bare)] = as_owner.execute(
        "SELECT count(DISTINCT salt), count(*) FILTER (WHERE octet_length(salt) <> 32) FROM batches_goldkey"
    ).fetchall()
    assert (salts, bare) == (3, 0)
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.slow
def test_a_market_with_gold_of_its_crowd_does_not_go_back_and_show_it(
    committed: str,
    as_owner: psycopg.Connection[Any],
    migrator: Any,
) -> None:
    make.make_batch(tasks=1, gold=1)
    as_owner.execute("UPDATE batches_goldkey SET state = 'retired'")
    with pytest.raises(Exception, match="an earlier version would show them"):
        call_command("migrate", "batches", "0009", database="owner", verbosity=0)

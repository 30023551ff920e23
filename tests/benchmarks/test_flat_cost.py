"""The cost of a claim and of a submission does not grow, by what the database counts: blocks and rows, never times."""

import time
from collections.abc import Iterator
from pprint import pformat
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tests.benchmarks.bench_plans import OldSession, touched
from tests.benchmarks.counters import Counters
from tests.benchmarks.in_process import Cycler, answer_pages
from tests.benchmarks.seeding import Market, analyze

SMALL, LARGE = (1_000, 50), (20_000, 1_000)  # tasks of the batch, past answers of the worker in it
# An index may be a level deeper in the large batch.
FLAT = 1.3
# What a steady cycle touches, or a little more.
LIKELY_BLOCKS, PATIENCE_S = 320, 60


@pytest.fixture
def counters(committed: str, as_owner: psycopg.Connection[Any]) -> Iterator[Counters]:
    # What the server does by itself would be counted too, and its snapshots keep dead rows alive meanwhile.
    for (table,) in as_owner.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid > 16384"):
        as_owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    made = Counters(settings.DATABASE_OWNER_URL, committed)
    yield made
    made.close()


def test_claims_and_submissions_touch_no_more_in_a_large_batch_and_after_many_answers(
    committed: str, counters: Counters
) -> None:
    market, costs = Market(), []
    # Most workers have done little, so the planner expects little of everybody: a veteran is what it is wrong about.
    elsewhere = market.batch(400)
    for novice in market.workers(400):
        answer_pages(novice, elsewhere, 1)
    for tasks, past in (SMALL, LARGE):
        batch, worker = market.batch(tasks), market.workers(1)[0]
        assert answer_pages(worker, batch, past) == past
        analyze(committed)
        connection.close()  # a fresh session, with plans of its own
        cycler = Cycler(worker, batch)
        for _ in range(8):
            cycler.cycle()
        cycler.submit()

        costs.append(touched(counters, {"claim": cycler.claim, "submit": cycler.submit}, rounds=10))

    small, large = costs
    for operation in ("claim", "submit"):
        assert large[operation]["blocks"] <= FLAT * small[operation]["blocks"], (small[operation], large[operation])
        assert large[operation]["rows_scanned_sequentially"] < 100, large[operation]


def test_a_session_that_planned_on_an_empty_market_touches_no_more_than_a_new_one_once_it_has_grown(
    committed: str, counters: Counters
) -> None:
    market = Market()
    old = OldSession(market.workers(1)[0], market.batch(20))
    batch, worker = market.batch(5_000), market.workers(1)[0]
    answer_pages(worker, batch, 1_000)

    # The best of many: what a session does now and then (look for pages with room, pass entries of dead rows, for as
    # long as the snapshot of whatever counts tables of the system keeps them) is no plan. A plan that reads too much
    # does so in every look.
    looks = [old.touched(counters, batch, cycles=5) for _ in range(5)]
    end = time.monotonic() + PATIENCE_S
    while min(look["blocks"] for look in looks) > LIKELY_BLOCKS and time.monotonic() < end:
        time.sleep(1)
        looks.append(old.touched(counters, batch, cycles=5))
    planned_long_ago = min(looks, key=lambda seen: seen["blocks"])

    old.end()
    analyze(committed)  # only now: new statistics would make the old session plan again
    connection.close()
    cycler = Cycler(worker, batch)
    for _ in range(8):
        cycler.cycle()
    new = touched(counters, {"cycle": cycler.cycle}, rounds=5)["cycle"]
    assert planned_long_ago["blocks"] <= FLAT * new["blocks"], pformat((new, planned_long_ago))
    assert planned_long_ago["rows_scanned_sequentially"] < 100, planned_long_ago

"""Hundreds of claims and submissions over HTTP: gold, brought or made of sure tasks, differs in nothing (R37)."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.callers import Caller, Reply, caller_for
from workers.api import work
from workers.gold.commands import score_due
from workers.gold.commands.supply import Candidate, offer_keys

pytestmark = pytest.mark.django_db

HALF = {"min_share": 0.5, "max_share": 0.5, "probation": 0, "probation_share": 0.5}
PHASE = 40
WORKERS, STEPS, PAGE = 14, 20, 5


@dataclass
class Met:
    """One task that somebody was given: at which of his positions, in what answer, and what his requests ran."""

    id: UUID
    position: int
    shape: tuple[Any, ...]
    size: int
    headers: tuple[str, ...]
    claimed_by: tuple[str, ...]
    submitted_by: tuple[str, ...] = ()
    said: str = ""


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement of this connection, in order."""
    found: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "SAVEPOINT" not in sql:  # each has a name of its own
            found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def masked(item: dict[str, Any]) -> dict[str, Any]:
    """A lease without what differs from any task to any other: ids, its end to the microsecond, and what it says."""
    return item | {"id": "", "token": "", "lease_until": "", "data": dict.fromkeys(item["data"], "")}


def shape(value: Any) -> Any:
    """Names and types, in their order."""
    if isinstance(value, dict):
        return tuple((name, shape(inner)) for name, inner in value.items())
    return type(value).__name__


def met(item: dict[str, Any], position: int, reply: Reply, ran: Sequence[str]) -> Met:
    return Met(
        id=UUID(item["id"]),
        position=position,
        shape=shape(item),
        size=len(json.dumps(masked(item))),
        headers=tuple(sorted(name for name in reply.headers)),
        claimed_by=tuple(ran),
    )


def work_through(caller: Caller, batch: Batch, statements: list[str]) -> list[Met]:
    """Claim one, and submit it with a claim of the next, again and again."""
    statements.clear()
    reply = caller.post(f"worker/batches/{batch.public_id}/claim", {"count": 1})
    [item] = reply.expect(201)["assignments"]
    found = [met(item, 0, reply, statements)]
    for step in range(1, STEPS):
        statements.clear()
        answer = {"assignment": item["id"], "token": item["token"], "values": {"label": "cat"}}
        then = {"batch": str(batch.public_id), "count": 1}
        reply = caller.post("worker/submissions", {"answers": [answer], "then_claim": then})
        done = reply.expect(200)
        found[-1].submitted_by = tuple(statements)
        found[-1].said = json.dumps(done["outcomes"][0] | {"assignment": ""})
        [item] = done["claimed"]
        found.append(met(item, step, reply, statements))
    return found


def gold_of(batch: Batch) -> dict[UUID, str]:
    """Which assignments were of gold, and of which origin."""
    with one_transaction(principal="test"), acting_as("gold_reader"):
        keys = dict(
            rows(
                "SELECT task_id, origin || ' ' || added_at FROM batches_goldkey WHERE batch_id = %s",
                [batch.pk],
            )
        )
        added = {task: origin.split(" ", 1) for task, origin in keys.items()}
    found = {}
    for public_id, task, later in rows("SELECT public_id, task_id, leased_at::text FROM assignments_assignment"):
        if task in added and (added[task][0] == "requester" or later > added[task][1]):
            found[public_id] = added[task][0]
    return found


def convert(batch: Batch, count: int) -> None:
    """The consensus is sure of tasks that somebody has answered."""
    found = rows(
        "SELECT DISTINCT t.id FROM batches_task t JOIN assignments_assignment a ON a.task_id = t.id"
        " WHERE t.id = ANY(%s) AND a.state = 'submitted' ORDER BY 1 LIMIT %s",
        [[task_id for task_id, _, _ in make.queue()], count],
    )
    with one_transaction(principal="consensus"):
        offer_keys(batch_id=batch.pk, found=[Candidate(row[0], {"label": "cat"}, 1.0) for row in found])


def auc(ones: Sequence[float], others: Sequence[float]) -> float:
    """The probability that a classifier by this number ranks one of the first above one of the second."""
    wins = sum((a > b) + 0.5 * (a == b) for a in ones for b in others)
    return wins / (len(ones) * len(others))


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> Batch:
    monkeypatch.setattr(work, "CHANCE", Random(11))
    made = make.make_batch(tasks=160, gold=40, overlap=3, gold_policy=HALF, lease_cap=10)
    # What never changes is read once, by whoever comes first, and kept.
    work_through(caller_for(make.make_worker().user, "worker"), made, [])
    return made


def test_two_hundred_and_eighty_of_gold_and_work_differ_in_nothing(batch: Batch, statements: list[str]) -> None:
    found: list[Met] = []
    for number in range(WORKERS):
        found += work_through(caller_for(make.make_worker().user, "worker"), batch, statements)
        if number % 3 == 1:
            convert(batch, 20)
        with one_transaction(principal="score"):
            score_due()
    gold = gold_of(batch)
    kinds = Counter(gold.get(one.id, "work") for one in found)
    assert min(kinds["requester"], kinds["consensus"]) >= 15, kinds
    assert kinds["work"] >= 100, kinds

    assert len({one.shape for one in found}) == 1
    assert len({one.size for one in found}) == 1
    first, later = [one for one in found if one.position == 0], [one for one in found if one.position]
    assert len({one.headers for one in first}) == len({one.headers for one in later}) == 1
    assert len({one.claimed_by for one in first}) == 1
    # Only where a phase of the schedule begins does a claim run more than others, whatever it is for.
    assert len({one.claimed_by for one in later if one.position % PHASE}) == 1
    submitted = [one for one in found if one.submitted_by]
    assert len({one.submitted_by for one in submitted if (one.position + 1) % PHASE}) == 1
    assert {one.said for one in submitted} == {submitted[0].said}
    ran = {statement for one in found for statement in (*one.claimed_by, *one.submitted_by)}
    hidden = ("goldkey", "verdict", "gold_reader", "gold_commitment", "gold_toaudit", "reputation_outcome")
    assert not [statement for statement in ran if any(name in statement for name in hidden)]

    for phase in {one.position // PHASE for one in found}:
        here = [one for one in found if one.position // PHASE == phase]
        ones, others = ([one for one in here if (one.id in gold) is kind] for kind in (True, False))
        for feature in (
            lambda one: one.position % PHASE,
            lambda one: one.size,
            lambda one: len(one.claimed_by),
            lambda one: one.id.int,
        ):
            # Four standard deviations of the area of a coin.
            spread = ((len(ones) + len(others) + 1) / (12 * len(ones) * len(others))) ** 0.5
            assert abs(auc([*map(feature, ones)], [*map(feature, others)]) - 0.5) <= 4 * spread


def test_gold_stands_anywhere_within_pages(batch: Batch) -> None:
    at: dict[int, Counter[bool]] = defaultdict(Counter)
    pages: list[tuple[int, list[UUID]]] = []
    for _ in range(16):
        caller = caller_for(make.make_worker().user, "worker")
        for _page in range(2):
            reply = caller.post(f"worker/batches/{batch.public_id}/claim", {"count": PAGE})
            items = reply.expect(201)["assignments"]
            pages.append((len(items), [UUID(item["id"]) for item in items]))
            answers = [{"assignment": item["id"], "token": item["token"], "values": {"label": "cat"}} for item in items]
            caller.post("worker/submissions", {"answers": answers}).expect(200)
    gold = gold_of(batch)
    for _, page in pages:
        for place, one in enumerate(page):
            at[place][one in gold] += 1
    assert {len(page) for _, page in pages} == {PAGE}
    shares = [at[place][True] / len(pages) for place in range(PAGE)]
    assert all(abs(share - sum(shares) / PAGE) <= 4 * (0.25 / len(pages)) ** 0.5 for share in shares), shares


def test_a_task_that_became_gold_is_answered_for_like_before_by_whoever_holds_it(batch: Batch) -> None:
    caller = caller_for(make.make_worker().user, "worker")
    reply = caller.post(f"worker/batches/{batch.public_id}/claim", {"count": PAGE})
    items = reply.expect(201)["assignments"]
    for lease in make.take(worker := make.make_worker(), batch, 10):
        make.answer(worker, [lease])
    before = caller.get("worker/assignments").body
    convert(batch, 100)
    assert caller.get("worker/assignments").body == before
    answers = [{"assignment": item["id"], "token": item["token"], "values": {"label": "cat"}} for item in items]
    said = caller.post("worker/submissions", {"answers": answers}).expect(200)
    assert {outcome["outcome"] for outcome in said["outcomes"]} == {"submitted"}

"""Matching beside everything else that happens at once, with real threads and commits."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from django.db import connections

from marketplace.batches.commands.lifecycle import pause_batch, resume_batch
from marketplace.batches.models import Batch
from marketplace.common.database import rows, run, value
from marketplace.common.errors import DomainError
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.waiting import stay, stop_waiting, wait_for_work
from workers.assignments.matching import match_due
from workers.assignments.models import Waiting
from workers.profiles.models import Worker

Together = Callable[..., list[Any]]


def deadlocks() -> int:
    return int(value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


def waits(worker: Worker, batch: Batch, window: int = 1) -> None:
    in_one(wait_for_work, worker_id=worker.pk, batch_id=batch.pk, window=window, alive_s=600)


def leases(batch: Batch) -> Counter[int]:
    found = rows("SELECT worker_id FROM assignments_assignment WHERE batch_id = %s AND state = 'leased'", [batch.pk])
    return Counter(row[0] for row in found)


def test_one_place_and_many_matchers_and_claimers_give_one_lease(committed: str, together: Together) -> None:
    for _round in range(4):
        batch = make.make_batch(tasks=1, overlap=1)
        crew = [make.make_worker() for _ in range(8)]
        for worker in crew[:4]:
            waits(worker, batch)
        done = together([*[match_due] * 5, *[lambda w=w, b=batch: make.take(w, b) for w in crew[4:]]])
        assert all(isinstance(one, int | list | DomainError) for one in done), done
        assert sum(leases(batch).values()) == 1
        waiting = set(Waiting.objects.filter(batch=batch).values_list("worker_id", flat=True))
        assert waiting.isdisjoint(leases(batch)), "whoever was given the place still waits for it"
        assert len(waiting | set(leases(batch)) & {worker.pk for worker in crew[:4]}) == 4
    assert deadlocks() == 0
    assert broken() == []


def test_nobody_gets_more_than_his_window_and_nothing_stays_open_while_somebody_waits(
    committed: str, together: Together
) -> None:
    batch = make.make_batch(tasks=30, gold=5, overlap=2)
    crew = [make.make_worker() for _ in range(10)]

    def comes(worker: Worker, seed: int) -> None:
        time.sleep(Random(seed).random() / 20)
        waits(worker, batch, window=3)

    done = together([*[lambda w=w, s=s: comes(w, s) for s, w in enumerate(crew)], *[match_due] * 4])
    assert all(one is None or isinstance(one, int) for one in done), done
    match_due()
    assert leases(batch) == {worker.pk: 3 for worker in crew}
    assert Waiting.objects.count() == 0
    assert deadlocks() == 0
    assert broken() == []


def test_whoever_leaves_while_he_is_matched_either_has_the_place_or_leaves_it_to_the_next(
    committed: str, together: Together
) -> None:
    for _round in range(6):
        batch = make.make_batch(tasks=1, overlap=1)
        first, second = make.make_worker(), make.make_worker()
        waits(first, batch)
        waits(second, batch)
        run("UPDATE assignments_waiting SET turn = CASE WHEN worker_id = %s THEN 0 ELSE 1 END", [first.pk])
        done = together([lambda w=first: in_one(stop_waiting, worker_id=w.pk), match_due, match_due])
        assert all(isinstance(one, int) for one in done), done
        match_due()
        assert leases(batch) in (Counter([first.pk]), Counter([second.pk]))
        assert not Waiting.objects.filter(worker=first).exists()
    assert deadlocks() == 0


@pytest.mark.parametrize("pair_limit", [None, 3])
def test_a_busy_market_with_heartbeats_returns_and_pauses_ends_with_every_place_given_once(
    committed: str, together: Together, pair_limit: int | None
) -> None:
    batch = make.make_batch(tasks=25, overlap=2, pair_limit=pair_limit)
    crew = [make.make_worker() for _ in range(6)]
    over = threading.Event()

    def works(worker: Worker, seed: int) -> int:
        chance, answered = Random(seed), 0
        for _visit in range(12):
            waits(worker, batch, window=chance.choice([1, 2, 4]))
            time.sleep(chance.random() / 40)
            try:
                held = make.take(worker, batch, 1, seed)
            except DomainError:
                continue
            if chance.random() < 0.2:
                with one_transaction(principal="test"):
                    return_lease(worker_id=worker.pk, assignment=held[0].id, token=held[0].token)
            answered += len(make.answer(worker, held[-2:]).outcomes)
        return answered

    def again_and_again(act: Callable[[], Any]) -> Callable[[], None]:
        def loop() -> None:
            while not over.is_set():
                act()
                time.sleep(0.01)

        return loop

    def beat() -> None:
        in_one(stay, worker_ids_and_batches=[(worker.pk, batch.pk) for worker in crew[::-1]])

    def stop_and_go() -> None:
        in_one(pause_batch, batch_id=batch.pk)
        in_one(resume_batch, batch_id=batch.pk)
        time.sleep(0.05)

    def ending(acts: list[Callable[[], int]]) -> list[Any]:
        left = [len(acts)]

        def one(act: Callable[[], int]) -> Callable[[], int]:
            def run_it() -> int:
                try:
                    return act()
                finally:
                    left[0] -= 1
                    if not left[0]:
                        over.set()

            return run_it

        return [one(act) for act in acts]

    background = [again_and_again(act) for act in (match_due, match_due, beat, stop_and_go)]
    done = together([*ending([lambda w=w, s=s: works(w, s) for s, w in enumerate(crew)]), *background])
    assert all(isinstance(one, int) for one in done[: len(crew)]), done
    assert done[len(crew) :] == [None] * len(background), done
    assert deadlocks() == 0
    assert broken() == []


def test_whoever_is_busy_is_passed_by_without_waiting_and_found_by_the_next_look(committed: str) -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    busy, free = make.make_worker(), make.make_worker()
    waits(busy, batch)
    waits(free, batch)
    run("UPDATE assignments_waiting SET turn = CASE WHEN worker_id = %s THEN 0 ELSE 1 END", [busy.pk])
    holds, go_on = threading.Event(), threading.Event()

    def is_busy() -> None:
        try:
            with one_transaction(principal="test"):
                rows("SELECT profiles_lock(%s)", [busy.pk])
                holds.set()
                go_on.wait(60)
        finally:
            connections.close_all()

    thread = threading.Thread(target=is_busy)
    thread.start()
    try:
        assert holds.wait(60)
        assert match_due() == 1
        assert leases(batch) == {free.pk: 1}
    finally:
        go_on.set()
        thread.join(60)
    more = make.make_batch(tasks=1, overlap=1)
    waits(busy, more)
    assert match_due() == 1
    assert leases(more) == {busy.pk: 1}

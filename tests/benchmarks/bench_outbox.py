"""Whether readers of events miss any, and how far behind they are: many writers, rollbacks and a straggler.

    ./run bench outbox [--writers 64] [--events 1000] [--rate 500] [--straggler 3] [--json]

Writers publish one event in each transaction, and every fifth transaction is rolled back; one reader follows by
horizon, as the relay does. The first round has no straggler, and its lag is what a reader needs; in the second one
transaction stays open for `--straggler` seconds, and its lag is mostly that. The lag of an event is from when it was
written, before its commit, to when the reader has it. `--rate` is transactions a second of all writers together; 0 is
as many as they can, which measures the machine. On a cluster of its own: any open writer of one holds the horizon.
"""

import argparse
import random
import threading
import time
from dataclasses import dataclass
from typing import Any

from marketplace.common.outbox import Event, backlog, horizon, publish, read
from marketplace.common.transactions import one_transaction
from tests.benchmarks.report import give, percentiles_ms, progress, table

ROLLED_BACK = 0.2
LAG_P99_MS = 250.0


@dataclass(frozen=True)
class Counted(Event):
    """An event of this benchmark: whose, the how manieth, and when it was written by the clock of this machine."""

    writer: int
    number: int
    at: float


class Undone(Exception):
    """Rolls a transaction back."""


def follow(reader: str, writers: int, events: int, *, rate: float, straggler_s: float = 0.0) -> dict[str, Any]:
    """One round: what was committed and not read (`missed`), read twice or out of nothing, and the lag of the rest."""
    from django.db import connections

    kept: list[list[tuple[int, int]]] = [[] for _ in range(writers)]
    failures: list[BaseException] = []
    start, pause = threading.Barrier(writers + 1), writers / rate if rate else 0.0
    done = threading.Event()
    found: list[tuple[int, int]] = []
    lags: list[float] = []
    held: list[float] = []
    done_at: list[float] = []

    def write(writer: int) -> None:
        try:
            chance = random.Random(writer)
            connections["default"].ensure_connection()
            start.wait(120)
            due = time.monotonic() + chance.random() * pause
            for number in range(events):
                time.sleep(max(0.0, due - time.monotonic()))
                due += pause
                try:
                    with one_transaction(principal="bench"):
                        publish(Counted(writer, number, time.time()))
                        if writer == 0 and number == events // 4 and straggler_s:
                            _stay_open(straggler_s)
                        if chance.random() < ROLLED_BACK:
                            raise Undone
                    kept[writer].append((writer, number))
                except Undone:
                    pass
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    def listen() -> None:
        try:
            while True:
                last = done.is_set()
                with one_transaction(principal="bench"):
                    page = list(read(reader, limit=500))
                now = time.time()
                found.extend((event.body["writer"], event.body["number"]) for event in page)
                lags.extend(now - event.body["at"] for event in page)
                if not page:
                    # Elsewhere than on a cluster of its own others may hold the last ones back for a while.
                    if last and (not backlog(reader) or time.monotonic() > done_at[0] + 60):
                        return
                    held.append(horizon())
                    time.sleep(0.02)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=[writer]) for writer in range(writers)]
    listener = threading.Thread(target=listen)
    for thread in threads:
        thread.start()
    start.wait(120)
    began = time.monotonic()
    listener.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    done_at.append(time.monotonic())
    done.set()
    listener.join()
    if failures:
        raise failures[0]
    committed = {name for of_writer in kept for name in of_writer}
    return {
        "transactions": writers * events,
        "transactions_per_s": round(writers * events / took, 1),
        "committed": len(committed),
        "read": len(found),
        "missed": len(committed - set(found)),
        "twice": len(found) - len(set(found)),
        "invented": len(set(found) - committed),
        "left": backlog(reader),
        "held_max_s": round(max(held, default=0.0), 2),
        **{f"lag_{name}": figure for name, figure in percentiles_ms(lags).items()},
    }


def _stay_open(seconds: float) -> None:
    """Keep the transaction open by small statements, so that it is nobody who sleeps."""
    from marketplace.common.database import run

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run("SELECT 1")
        time.sleep(0.05)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Both rounds, each by a reader of its own that begins behind what was before."""
    results: dict[str, Any] = {"options": vars(asked)}
    for name, straggler_s in (("without", 0.0), ("with_straggler", asked.straggler)):
        reader = f"bench-{name}"
        while True:
            with one_transaction(principal="bench"):
                if not list(read(reader, limit=5_000)):
                    break
        progress(f"{asked.writers} writers, {asked.events} transactions each, straggler {straggler_s} s …")
        results[name] = follow(reader, asked.writers, asked.events, rate=asked.rate, straggler_s=straggler_s)
    results["missed"] = sum(results[name]["missed"] for name in ("without", "with_straggler"))
    return results


def main(argv: list[str]) -> int:
    """Measure; 1 where an event was missed, seen twice or invented, or where the lag is longer than it may be."""
    parser = argparse.ArgumentParser(prog="./run bench outbox", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--writers", type=int, default=64)
    parser.add_argument("--events", type=int, default=1_000, help="transactions of each writer")
    parser.add_argument("--rate", type=float, default=500.0, help="transactions a second of all together; 0: no bound")
    parser.add_argument("--straggler", type=float, default=3.0, help="seconds that one transaction stays open")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)

    import django

    django.setup()
    results = measure(asked)
    names = ("committed", "read", "missed", "twice", "lag_p50_ms", "lag_p99_ms", "lag_max_ms", "held_max_s")
    rows = [[name, *(results[name][column] for column in names)] for name in ("without", "with_straggler")]
    give(results, table(["straggler", *names], rows), as_json=asked.json)
    wrong = any(
        results[name][what] for name in ("without", "with_straggler") for what in ("missed", "twice", "invented")
    )
    return int(wrong or (asked.rate > 0 and results["without"]["lag_p99_ms"] > LAG_P99_MS))

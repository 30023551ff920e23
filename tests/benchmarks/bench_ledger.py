"""Transfers and payments a second, on hot and on spread accounts, beside bare updates by pgbench.

    ./run bench ledger [--payments 20000] [--clients 8] [--seconds 8] [--repeat 3] [--json]

A *payment* is one accepted answer: reward and fee, so two transfers and four postings, in groups of up to 500 as the
sweep makes them, by two processes at once. A *transfer* is one in a transaction of its own. The floor is what any
ledger must at least do: two updates of balances and one row of history in a transaction, by pgbench with prepared
statements, in id order. All in one run, on two cores with everything else on the same machine.
"""

import argparse
import multiprocessing
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg

from tests.benchmarks.report import give, median_of, progress, ratio, table

ESCROWS = (1, 50)
FLOOR_SCHEMA = """
DROP SCHEMA IF EXISTS bench_ledger CASCADE;
CREATE SCHEMA bench_ledger;
CREATE TABLE bench_ledger.account (id bigint PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE bench_ledger.history (id bigserial PRIMARY KEY, source bigint, destination bigint, amount bigint,
                                   made_at timestamptz DEFAULT clock_timestamp());
INSERT INTO bench_ledger.account SELECT n, 1000000000000 FROM generate_series(1, 1050) n;
"""
# Escrows have the low ids and workers the high ones, so both updates go in the order of ids and cannot deadlock.
FLOOR_SCRIPT = """
\\set escrow random(1, :escrows)
\\set worker random(51, 1050)
BEGIN;
UPDATE bench_ledger.account SET balance = balance - 5 WHERE id = :escrow;
UPDATE bench_ledger.account SET balance = balance + 5 WHERE id = :worker;
INSERT INTO bench_ledger.history (source, destination, amount) VALUES (:escrow, :worker, 5);
COMMIT;
"""


def transfers(escrows: int, clients: int, seconds: float) -> dict[str, Any]:
    """Single transfers from that many escrows to many workers, by that many processes; posted a second."""
    from marketplace.common.transactions import one_transaction
    from marketplace.ledger.commands import Move, move

    tag = uuid4().hex[:8]
    with one_transaction(principal="bench"):
        move(
            [
                Move(f"fund:{tag}:{n}", "deposit", "outside:bench", f"batch:{tag}-{n}:escrow", "EUR", 10**15)
                for n in range(escrows)
            ]
        )
    posted = _at_once(_transfer_for, [(tag, escrows, number, seconds) for number in range(clients)])
    return {"per_s": round(sum(posted) / seconds, 1), "clients": clients, "escrows": escrows}


def _transfer_for(tag: str, escrows: int, client: int, seconds: float) -> int:
    from marketplace.common.transactions import one_transaction
    from marketplace.ledger.commands import Move, move

    done, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        source = f"batch:{tag}-{(done * 7 + client) % escrows}:escrow"
        to = f"worker:{tag}-{(done * 31 + client * 17) % 1000}:earned"
        with one_transaction(principal="bench"):
            move([Move(f"pay:{tag}:{client}:{done}", "reward", source, to, "EUR", 5)])
        done += 1
    return done


def payments(number: int) -> dict[str, Any]:
    """Pay that many accepted answers by two processes at once, as the sweep does; paid a second."""
    from marketplace.common.transactions import one_transaction
    from tests.benchmarks.in_process import answer_pages
    from tests.benchmarks.seeding import Market
    from workers.assignments.commands.decide import accept_answers

    market = Market()
    workers = market.workers(20)
    batches = [market.batch(number // 20 + 100, overlap=20) for _ in range(2)]
    progress(f"  {number:,} answers to be accepted …")
    for index, worker in enumerate(workers):
        answer_pages(worker, batches[index % 2], number // 20, page=100)
    for batch in batches:
        while True:
            with one_transaction(principal="bench"):
                if not accept_answers(batch_id=batch.id, assignments=None):
                    break
    began = time.perf_counter()
    paid = sum(_at_once(_pay_all, [(), ()]))
    took = time.perf_counter() - began
    return {"per_s": round(paid / took, 1), "paid": paid, "seconds": round(took, 2)}


def _pay_all() -> int:
    from marketplace.common.transactions import one_transaction
    from workers.assignments.commands.pay import GROUP, settle_due

    paid = 0
    while True:
        with one_transaction(principal="bench"):
            now = settle_due()
        paid += now
        if now < GROUP:
            return paid


def _at_once(work: Callable[..., int], orders: list[tuple[Any, ...]]) -> list[int]:
    """The results of that work in a process for each order, begun together."""
    from django.db import connections

    connections.close_all()
    with multiprocessing.get_context("fork").Pool(len(orders)) as pool:
        return pool.starmap(work, orders)


def floor(escrows: int, clients: int, seconds: float) -> dict[str, Any]:
    """The same shape by bare statements; transactions a second."""
    from django.conf import settings

    from tests.benchmarks.floors import pgbench
    from tests.benchmarks.serving import data_directory

    script = data_directory() / "ledger.sql"
    script.write_text(FLOOR_SCRIPT, encoding="ascii")
    owner = settings.DATABASES["owner"]
    argv = [
        pgbench(),
        "-h",
        str(owner["HOST"]),
        "-U",
        owner["USER"],
        "-n",
        "-M",
        "prepared",
        "-c",
        str(clients),
        "-j",
        "1",
    ]
    argv += ["-T", str(max(1, round(seconds))), "-D", f"escrows={escrows}", "-f", str(script), owner["NAME"]]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or rate is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-1000:]}")
    return {"per_s": round(float(rate[1]), 1), "clients": clients, "escrows": escrows}


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Everything, each in every round."""
    from django.conf import settings

    from marketplace.common.database import value
    from marketplace.common.promises import check_promises
    from marketplace.ledger.audit import audit
    from marketplace.ledger.tasks import seal_transfers

    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        owner.execute(FLOOR_SCHEMA)
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = value(deadlocks)
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for turn in range(asked.repeat):
        progress(f"Round {turn + 1} of {asked.repeat}")
        for escrows in ESCROWS:
            runs[f"floor_{escrows}"].append(floor(escrows, asked.clients, asked.seconds))
            runs[f"transfers_{escrows}"].append(transfers(escrows, asked.clients, asked.seconds))
        runs["payments"].append(payments(asked.payments))
        for name, several in runs.items():
            progress(f"  {name:<14} {several[-1]['per_s']:>10}/s")
    waiting = value("SELECT count(*) FROM ledger_transfer")
    began = time.perf_counter()
    seal_transfers()
    sealed = value("SELECT count(*) FROM ledger_seal")
    seals_per_s = round(sealed / (time.perf_counter() - began), 1)
    progress("Recomputing the books …")
    began, books = time.perf_counter(), audit()
    medians = {name: median_of(several) for name, several in runs.items()}
    return {
        "options": vars(asked),
        **medians,
        "payments_per_s": medians["payments"]["per_s"],
        "transfers_to_floor": {
            str(n): ratio(medians[f"transfers_{n}"]["per_s"], medians[f"floor_{n}"]["per_s"]) for n in ESCROWS
        },
        "spread_to_hot": ratio(medians["transfers_50"]["per_s"], medians["transfers_1"]["per_s"]),
        "deadlocks": value(deadlocks) - before,
        "transfers": waiting,
        "seals_per_s": seals_per_s,
        "audit_s": round(time.perf_counter() - began, 2),
        "first_bad": books.first_bad,
        "violations": sum(finding.violations for finding in check_promises()),
    }


def described(results: dict[str, Any]) -> str:
    """The results as a table and a few lines."""
    names = {
        "floor_1": "two bare updates and a row, one escrow",
        "transfers_1": "transfers, one escrow",
        "floor_50": "two bare updates and a row, 50 escrows",
        "transfers_50": "transfers, 50 escrows",
        "payments": "payments of answers, in groups",
    }
    rows = [[told, results[name]["per_s"], results[name].get("clients", 2)] for name, told in names.items()]
    facts = ("transfers_to_floor", "spread_to_hot", "deadlocks", "transfers", "seals_per_s", "audit_s", "first_bad")
    return "\n\n".join(
        [
            table(["what", "per s", "processes"], rows),
            "\n".join(f"{name}: {results[name]}" for name in (*facts, "violations")),
        ]
    )


def main(argv: list[str]) -> int:
    """Run the command; its exit code: 1 when a deadlock, a wrong row or a broken promise was found."""
    parser = argparse.ArgumentParser(prog="./run bench ledger", description=__doc__.partition("\n")[0])
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    import django

    django.setup()
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return int(bool(results["deadlocks"] or results["first_bad"] or results["violations"]))

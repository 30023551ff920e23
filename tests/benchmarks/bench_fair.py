"""Claims of many workers on one batch to its end, each at his own pace: latencies, and whether "nothing left" was true.

    ./run bench fair [--workers 200] [--tasks 1500] [--overlap 3] [--seconds 100] [--returns 0.05] [--json]

An open loop: each worker answers every 2 to 5 s whatever the server does, and what is late counts from when it was due.
Some places are given back. Every time a worker is told that nothing is left for him, all tasks of the batch are looked
through for one that he could have had; where a place was being given back at that moment the look says nothing and is
counted apart. Latencies are those of the generator on the same machine, so they contain the server's own.
"""

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tests.benchmarks import cpu
from tests.benchmarks.load import Client, Meter, Reply, Script, run_through
from tests.benchmarks.report import give, percentiles_ms, progress, table
from tests.benchmarks.seeding import Market, SeededBatch, analyze
from tests.benchmarks.touchstone import Hands, first_leases, hand_in

THINK_S = (2.0, 5.0)
BUDGET_MS = 50.0
WARM_WORKERS = 200
OPEN_FOR = """
SELECT count(*) FROM batches_task t WHERE t.batch_id = %s AND t.taken + t.refunded < t.overlap
   AND t.quarantined_at IS NULL AND NOT t.reserved
   AND NOT EXISTS (SELECT 1 FROM assignments_assignment a
                    WHERE a.task_id = t.id AND a.worker_id = %s AND NOT (a.state = 'expired' AND a.attempts < 5))
"""


class PacedClient(Client):
    """A client that sends each request when it is due, not when the one before was answered."""

    def __init__(self, script: Script, meter: Meter, port: int, chance: random.Random) -> None:
        super().__init__(script, meter, port)
        self._chance = chance
        self._due = time.perf_counter() + chance.uniform(0, THINK_S[1])

    def send(self) -> None:
        if self._meter.over:
            self._sent_at = time.perf_counter()
            super().send()
            return
        wait = self._due - time.perf_counter()
        asyncio.get_running_loop().call_later(max(0.0, wait), self._send_due)

    def _send_due(self) -> None:
        super().send()
        self._sent_at = self._due
        self._due += self._chance.uniform(*THINK_S)


class Returns:
    """When places were being given back: between the two, a look through the batch proves nothing."""

    def __init__(self) -> None:
        self.under_way = 0
        self.last_ended = 0.0

    def begin(self) -> None:
        self.under_way += 1

    def end(self) -> None:
        self.under_way -= 1
        self.last_ended = time.perf_counter()

    def since(self, moment: float) -> bool:
        """Whether any was under way at some time from that moment to now."""
        return self.under_way > 0 or self.last_ended >= moment


def life_of(
    meter: Meter, worker: Hands, batch: SeededBatch, returns: Returns, chance: random.Random, share: float
) -> Script:
    """One worker: claim, then answer with `then_claim`, or now and then give back; ask again where nothing was left."""
    while not meter.over:
        asked_at = time.perf_counter()
        if not worker.leases:
            reply = yield "claim", worker.claim(1)
            if reply.status == 201:
                worker.take(json.loads(reply.body)["assignments"])
            elif b"nothing-to-claim" in reply.body:
                _verify(meter, worker, batch, returns, asked_at)
            else:
                meter.error(f"claim {reply.status} {reply.body[:80]!r}")
        elif chance.random() < share:
            returns.begin()
            reply = yield "return", worker.give_back()
            returns.end()
            worker.leases = []
            meter.count("returned")
            if reply.status != 200:
                meter.error(f"return {reply.status} {reply.body[:80]!r}")
        else:
            reply = yield "cycle", worker.submit(1)
            _take_in(meter, worker, reply)
            if not worker.leases and reply.status == 200:
                _verify(meter, worker, batch, returns, asked_at)


def _take_in(meter: Meter, worker: Hands, reply: Reply) -> None:
    if reply.status != 200:
        meter.error(f"cycle {reply.status} {reply.body[:80]!r}")
        worker.leases = []
        return
    body = json.loads(reply.body)
    meter.count("answers", sum(one["outcome"] == "submitted" for one in body["outcomes"]))
    worker.take(body["claimed"])


def _verify(meter: Meter, worker: Hands, batch: SeededBatch, returns: Returns, asked_at: float) -> None:
    """Look through the whole batch for a task that the worker could have had."""
    from marketplace.common.database import value

    meter.count("told that nothing is left")
    if not value(OPEN_FOR, [batch.id, worker.worker.id]):
        return
    if returns.since(asked_at):
        meter.count("could not be verified")
    else:
        meter.count("falsely told so")


async def _drive(asked: argparse.Namespace, market: Market, batch: SeededBatch, roots: dict[str, int]) -> Any:
    meter, returns, port = Meter(on=True), Returns(), int(os.environ["TOUCHSTONE_PORT"])
    clients = []
    for number, worker in enumerate(market.workers(asked.workers)):
        chance = random.Random(f"{asked.seed}:{number}")
        script = life_of(meter, Hands(worker, batch, port), batch, returns, chance, asked.returns)
        clients.append(PacedClient(script, meter, port, chance))
    window = cpu.Window(roots)
    for client in clients:
        client.start()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < asked.seconds:
        progress(f"  {passed:3.0f} s: {meter.counts['answers']:,} of {batch.places:,} places answered")
        await asyncio.sleep(min(10.0, asked.seconds - passed))
    wall, used, strangers = window.close()
    meter.on, meter.over = False, True
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), timeout=60)
    return meter, wall, used, strangers


def _warm_up(market: Market) -> None:
    """Let every thread of the server plan its statements once: a site is not started anew for each claim."""
    port = int(os.environ["TOUCHSTONE_PORT"])
    small = market.batch(WARM_WORKERS)
    hands = [Hands(worker, small, port) for worker in market.workers(WARM_WORKERS)]
    for script in (first_leases, hand_in) * 2:
        run_through(partial(_each, script, hands), port=port)


def _each(script: Callable[[Meter, Sequence[Hands]], Script], hands: Sequence[Hands], meter: Meter) -> list[Script]:
    return [script(meter, [one]) for one in hands]


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    market, roots = Market(), cpu.site_processes()
    batch = market.batch(asked.tasks, overlap=asked.overlap)
    analyze()
    progress("Warming up …")
    _warm_up(market)
    cpu.wait_until_quiet(roots)
    # The verification asks the database from within the loop; each look takes a millisecond or two.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    meter, wall, used, strangers = asyncio.run(_drive(asked, market, batch, roots))
    told = meter.counts["told that nothing is left"]
    return {
        "options": vars(asked),
        "operations": {
            name: {"n": len(taken), "per_s": round(len(taken) / wall, 1), **percentiles_ms(taken)}
            for name, taken in sorted(meter.seconds.items())
        },
        "budget_ms": BUDGET_MS,
        "answers": meter.counts["answers"],
        "places": batch.places,
        "returned": meter.counts["returned"],
        "empties": told,
        "empties_false": meter.counts["falsely told so"],
        "empties_unverified": meter.counts["could not be verified"],
        "empties_false_share": meter.counts["falsely told so"] / told if told else None,
        "cores": {name: round(seconds / wall, 2) for name, seconds in used.items()},
        "strangers_cores": round(strangers, 2),
        "errors": dict(meter.errors),
    }


def described(results: dict[str, Any]) -> str:
    """The results as a table and a sentence."""
    names = ("n", "per_s", "p50_ms", "p95_ms", "p99_ms", "max_ms")
    rows: Sequence[Sequence[Any]] = [
        [operation, *(figures.get(name) for name in names)] for operation, figures in results["operations"].items()
    ]
    return (
        f"{table(['operation', *names], rows)}\n\n{results['answers']:,} of {results['places']:,} places answered,"
        f" {results['returned']} given back on the way. {results['empties']:,} times a worker was told that nothing is"
        f" left: falsely {results['empties_false']} times, {results['empties_unverified']} could not be verified.\n"
        f"cores in use: {results['cores']}, strangers' {results['strangers_cores']};"
        f" errors: {results['errors'] or 'none'}"
    )


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench fair", description=__doc__.partition("\n")[0])
    number = partial(parser.add_argument, type=int)
    number("--workers", default=200)
    number("--tasks", default=1_500)
    number("--overlap", default=3)
    number("--seed", default=1)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--returns", type=float, default=0.05, help="share of places that are given back")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for a quiet machine")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(argv)
    cpu.be_patient(asked.patience)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 1 if results["errors"] or results["empties_false"] else 0

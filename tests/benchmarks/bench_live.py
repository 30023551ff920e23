"""Sockets: memory, connecting, one change for all, a fact for each, stream mode beside HTTP, all back after a crash.

    ./run bench live [--sockets 2000,10000] [--changes 20] [--workers 32] [--seconds 10] [--json]

All sockets are held by the live servers of ./run, each by a worker of its own; figures are sums over these servers.
The clients are bare protocols in
processes of their own on the same machine (they are part of every figure; their processor time is reported). A change
is a claim by one more worker: its clock starts when the claim has been committed, and stops when a socket has got bytes
of a newer version of the board, so outbox, relay, state and the wait between two digests are all in it.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from tests.benchmarks import cpu
from tests.benchmarks.load import run_loop, run_through
from tests.benchmarks.report import give, percentiles_ms, progress, ratio, table
from tests.benchmarks.seeding import VALUES, Market, SeededBatch, SeededWorker, analyze
from tests.benchmarks.sockets import Crowd, raise_the_limit
from tests.benchmarks.touchstone import Hands, first_leases, hand_in, shared_out, steady

SETTLE_S, IDLE_S = 3.0, 8.0
STORM_S_MAX = 300.0
WAIT_S = 30.0
CHUNK = 2_000


def crowd_of_workers(number: int) -> list[SeededWorker]:
    """That many workers with keys, made in few statements."""
    from django.db import connection
    from knox.models import get_digest_token

    from marketplace.accounts.models import ApiKey, Scope, User
    from marketplace.common.database import MarketNow
    from marketplace.common.transactions import one_transaction
    from workers.profiles.commands import ensure_workers
    from workers.profiles.models import Worker

    made: list[SeededWorker] = []
    for start in range(0, number, CHUNK):
        with one_transaction(principal="bench"):
            names = [f"s{uuid4().hex}@example.org" for _ in range(min(CHUNK, number - start))]
            users = User.objects.bulk_create([User(email=name) for name in names])
            ensure_workers(user_ids=[user.pk for user in users])
            workers = dict(Worker.objects.filter(user__in=users).values_list("user_id", "pk"))
            tokens = [get_digest_token() for _ in users]
            for user, (digest, token) in zip(users, tokens, strict=True):
                ApiKey(
                    digest=digest,
                    token_key=token[:15],
                    user=user,
                    name="bench",
                    scopes=[Scope.WORKER],
                    expiry=MarketNow() + timedelta(days=2),
                ).save(force_insert=True)
        made += [SeededWorker(workers[user.pk], token) for user, (_, token) in zip(users, tokens, strict=True)]
    connection.close()
    return made


class Bench:
    """The site's servers, a board of batches, and whoever changes it."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.market = Market()
        self.roots = cpu.site_processes()
        self._live_servers = len(cpu.named(self.roots, "live"))
        self.live_port = int(os.environ["TOUCHSTONE_LIVE_PORT"])
        self.web_port = int(os.environ["TOUCHSTONE_PORT"])
        self.batches = [self.market.batch(2_000, overlap=3) for _ in range(asked.batches)]
        # Each claims once in each batch, over all runs.
        self.changers = self.market.workers(1 + (asked.changes + 2) * len(asked.sockets) // asked.batches)
        self._claims = count()
        self.people = crowd_of_workers(max(asked.sockets))
        analyze()

    def sockets(self, number: int) -> dict[str, Any]:
        """All that is measured with so many sockets."""
        crowd = Crowd(self.live_port, processes=2)
        try:
            return self._sockets(crowd, [person.key for person in self.people[:number]])
        finally:
            crowd.end()
            time.sleep(SETTLE_S)

    def _sockets(self, crowd: Crowd, keys: Sequence[str]) -> dict[str, Any]:
        live = self.live()
        before = cpu.joined(cpu.rss_mib(live))["live"]
        window, began = cpu.Window(self.roots | live), time.perf_counter()
        opened = crowd.connect(keys)
        took = time.perf_counter() - began
        _, used, strangers = window.close()
        found = crowd.take()
        figures: dict[str, Any] = {
            "sockets": len(keys),
            "opened": opened,
            "refusals": found.refusals,
            "connect": {
                "per_s": round(opened / took, 1),
                "seconds": round(took, 2),
                "cpu_ms_each": {name: round(1000 * used[name] / max(1, opened), 3) for name in ("live", "postgres")},
                "strangers_cores": round(strangers, 2),
            },
        }
        progress(f"  {opened} of {len(keys)} open, {figures['connect']['per_s']}/s {found.refusals or ''}")
        time.sleep(SETTLE_S)
        figures["kib_per_socket"] = round((cpu.joined(cpu.rss_mib(live))["live"] - before) * 1024 / max(1, opened), 1)
        figures["live_mib"] = cpu.rss_mib(live)
        window = cpu.Window(live)
        time.sleep(IDLE_S)
        wall, used, _ = window.close()
        figures["idle_cores"] = round(used["live"] / wall, 3)
        progress(f"  {figures['kib_per_socket']} KiB each, idle {figures['idle_cores']} cores")
        crowd.subscribe("board")
        self._all_have(crowd, opened)
        figures["topic"] = self.changes(crowd, opened)
        progress(f"  one change → all: {figures['topic']['ms']}")
        figures["personal"] = self.facts(crowd, opened)
        progress(f"  a fact for each: {figures['personal']['each']['ms']}; for one: {figures['personal']['one']['ms']}")
        figures["one_dies"] = self.storm(crowd, dict(list(self.live().items())[:1]))
        progress(f"  one live server dies: {figures['one_dies']}")
        figures["storm"] = self.storm(crowd, self.live())
        progress(f"  all die: {figures['storm']}")
        return figures

    def live(self) -> dict[str, int]:
        """The live servers' processes, once all listen; ./run starts again whichever dies."""
        from deploy.stack.site import listeners

        deadline = time.monotonic() + 60
        while True:
            found = cpu.named(cpu.site_processes(), "live")
            if len(found) == self._live_servers == listeners(self.live_port):
                return found
            if time.monotonic() > deadline:
                raise RuntimeError("the live servers do not answer")
            time.sleep(0.1)

    def changes(self, crowd: Crowd, sockets: int) -> dict[str, Any]:
        """The board changes for everybody, again and again."""
        live = self.live()
        seconds: list[float] = []
        lasts, missed = [], 0
        served = clients = 0.0
        for number in range(self.asked.changes + 2):
            time.sleep(1.0 + random.random())
            crowd.take()
            window, ours = cpu.Window(live | {"clients": crowd.pids[0], "clients2": crowd.pids[1]}), time.monotonic_ns()
            self._claim_one(next(self._claims))
            ours = time.monotonic_ns()
            times = self._newer(crowd, sockets)
            _, used, _ = window.close()
            if number < 2:
                continue  # warm-up
            missed += sockets - len(times)
            late = sorted((at - ours) / 1e9 for at in times)
            seconds += late
            lasts += late[-1:]
            served, clients = served + used["live"], clients + used["clients"] + used["clients2"]
        each = 1e6 / max(1, len(seconds))
        return {
            "changes": self.asked.changes,
            "ms": percentiles_ms(seconds),
            "last_ms": round(1000 * statistics.median(lasts), 1) if lasts else None,
            "missed": missed,
            "cpu_us_per_delivery": {"live": round(served * each, 1), "clients": round(clients * each, 1)},
        }

    def facts(self, crowd: Crowd, sockets: int) -> dict[str, Any]:
        """One fact for each of them at once; and then for one after the other, from the outbox on."""
        from marketplace.common.database import rows
        from marketplace.common.outbox import publish
        from marketplace.common.transactions import one_transaction
        from workers.assignments.events import LeaseReturned

        workers = [person.id for person in self.people[:sockets]]
        batch = self.batches[0].id

        def tell(ids: list[int]) -> int:
            with one_transaction(principal="bench"):
                publish(LeaseReturned(batch_id=batch, worker_ids=ids, assignment_ids=[]))
            return time.monotonic_ns()

        crowd.take()
        live = self.roots | self.live()
        window = cpu.Window(live)
        at = tell(workers)
        together = self._facts(crowd, sockets)
        _, used, _ = window.close()
        single: list[float] = []
        for worker in random.Random(7).sample(workers, min(50, len(workers))):
            time.sleep(0.1)
            began = tell([worker])
            single += [(seen - began) / 1e9 for seen in self._facts(crowd, 1)]
        stored = rows("SELECT count(*) FROM streams_entry")[0][0]
        return {
            "each": {
                "facts": len(together),
                "missed": sockets - len(together),
                "ms": percentiles_ms([(seen - at) / 1e9 for seen in together]),
                "cpu_us_each": {
                    name: round(1e6 * used[name] / max(1, len(together)), 1)
                    for name in ("live", "relay", "postgres")
                    if name in used
                },
            },
            "one": {"facts": len(single), "ms": percentiles_ms(single)},
            "stored": stored,
        }

    def storm(self, crowd: Crowd, victims: dict[str, int]) -> dict[str, Any]:
        """Live servers die, and those whom they held come back with their cursors; over when all are back."""
        lost_before = crowd.take().lost
        standing = {name: pid for name, pid in self.roots.items() if not name.startswith("live")}
        left = {name: pid for name, pid in self.live().items() if pid not in victims.values()}
        before = cpu.joined(cpu.of_trees(standing | left))
        for pid in victims.values():
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic_ns()
        back: list[float] = []
        lost = 0
        while (not lost or len(back) < lost) and time.monotonic_ns() - began < STORM_S_MAX * 1e9:
            time.sleep(0.5)
            came = crowd.take()
            lost = came.lost - lost_before
            back += [(at - began) / 1e9 for at in came.rejoined]
        ordered = sorted(back)
        used = cpu.joined(cpu.of_trees(standing | self.live()))
        return {
            "lost": lost,
            "back": len(back),
            "p50_s": round(ordered[len(ordered) // 2], 2) if ordered else None,
            "p99_s": round(ordered[int(0.99 * (len(ordered) - 1))], 2) if ordered else None,
            "all_s": round(ordered[-1], 2) if ordered else None,
            "cpu_ms_each": {
                "live": round(1000 * (used["live"] - before.get("live", 0.0)) / max(1, len(back)), 2),
                "postgres": round(1000 * (used["postgres"] - before["postgres"]) / max(1, len(back)), 2),
            },
        }

    # Work over sockets and over HTTP

    def answers(self) -> dict[str, Any]:
        """Answers a second by the same number of workers: over HTTP, the same cycle over sockets, and stream mode."""
        asked, found = self.asked, {}
        roots = self.roots | self.live()
        hands = self._hands(self.market.batch(asked.tasks, overlap=3))
        run_through(
            lambda meter: [first_leases(meter, mine) for mine in shared_out(hands, asked.workers)], port=self.web_port
        )
        found["http"] = run_loop(
            lambda meter: [steady(meter, mine) for mine in shared_out(hands, asked.workers)],
            port=self.web_port, seconds=asked.seconds, warm_s=2.0, roots=roots,
        )  # fmt: skip
        run_through(
            lambda meter: [hand_in(meter, mine) for mine in shared_out(hands, asked.workers)], port=self.web_port
        )
        for name in ("socket_cycle", "stream_mode"):
            workers = self.market.workers(asked.workers)
            batch = self.market.batch(asked.tasks, overlap=3)
            cpu.wait_until_quiet(roots)
            found[name] = asyncio.run(self._over_sockets(name, workers, batch, roots))
            progress(f"  {name}: {found[name]['answers_per_s']} answers/s")
        rate = found["http"]["answers_per_s"]
        figures = {
            name: {
                "answers_per_s": run["answers_per_s"],
                "ratio_to_http": ratio(run["answers_per_s"], rate),
                "cpu_ms": run["cpu_ms"],
                "errors": run["errors"],
                "ms": run.get("ms") or run["operations"].get("cycle"),
            }
            for name, run in found.items()
        }
        progress(f"  http: {rate} answers/s")
        return {"workers": asked.workers, **figures}

    def _hands(self, batch: SeededBatch) -> list[Hands]:
        return [Hands(worker, batch, self.web_port) for worker in self.market.workers(self.asked.workers)]

    async def _over_sockets(
        self, name: str, workers: Sequence[SeededWorker], batch: SeededBatch, roots: dict[str, int]
    ) -> dict[str, Any]:
        from tests.live.client import LiveClient

        url = f"ws://127.0.0.1:{self.live_port}/ws/worker/"
        clients = [LiveClient(url, key=worker.key) for worker in workers]
        seconds: list[float] = []
        errors: dict[str, int] = {}
        counting = False

        def note(reply: dict[str, Any], began: float) -> None:
            if reply["status"] != 200:
                errors[str(reply["status"])] = errors.get(str(reply["status"]), 0) + 1
            elif counting:
                seconds.append(time.perf_counter() - began)

        async def cycle(client: LiveClient) -> None:
            reply = await client.command("claim", batch=batch.public_id, count=1)
            leases = reply["body"]["assignments"]
            while leases:
                began = time.perf_counter()
                then = {"batch": batch.public_id, "count": 1}
                reply = await client.submit(leases[0], VALUES, then_claim=then)
                note(reply, began)
                leases = reply["body"]["claimed"]

        async def stream(client: LiveClient) -> None:
            async for lease in client.stream(batch.public_id, self.asked.window):
                began = time.perf_counter()
                note(await client.submit(lease, VALUES), began)

        for client in clients:
            client.start()
        await asyncio.gather(*(client.until(lambda c=client: c.cursor) for client in clients))  # type: ignore[misc]
        act = cycle if name == "socket_cycle" else stream
        working = [asyncio.create_task(act(client)) for client in clients]
        await asyncio.sleep(2.0)
        counting, window = True, cpu.Window(roots)
        await asyncio.wait(working, timeout=self.asked.seconds)
        wall, used, _ = window.close()
        counting = False
        for task in working:
            if task.done() and not task.cancelled() and task.exception() is not None:
                errors[repr(task.exception())[:100]] = 1
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.gather(*(client.stop() for client in clients))
        return {
            "answers_per_s": round(len(seconds) / wall, 1),
            "cpu_ms": {name: round(1000 * spent / max(1, len(seconds)), 3) for name, spent in used.items()},
            "ms": percentiles_ms(seconds),
            "errors": errors,
        }

    # Small things

    def _claim_one(self, number: int) -> None:
        from marketplace.batches.queries import offer_of
        from marketplace.common.transactions import one_transaction
        from workers.assignments.commands.claim import claim

        batch = self.batches[number % len(self.batches)]
        worker = self.changers[number // len(self.batches)]
        offer = offer_of(UUID(batch.public_id))
        with one_transaction(principal="bench"):
            claim(worker_id=worker.id, offer=offer, count=1, chance=random.Random(number))

    def _all_have(self, crowd: Crowd, sockets: int) -> None:
        deadline, got = time.monotonic() + WAIT_S, 0
        while got < sockets and time.monotonic() < deadline:
            got += sum(map(len, crowd.take().topics.values()))
            time.sleep(0.2)

    def _newer(self, crowd: Crowd, sockets: int) -> list[int]:
        """When each socket had the first newer version."""
        deadline, versions = time.monotonic() + WAIT_S, {}  # type: ignore[var-annotated]
        while time.monotonic() < deadline:
            time.sleep(0.3)
            for version, times in crowd.take().topics.items():
                versions.setdefault(version, []).extend(times)
            if versions and len(versions[min(versions)]) >= sockets:
                break
        return versions[min(versions)] if versions else []

    def _facts(self, crowd: Crowd, number: int) -> list[int]:
        deadline, times = time.monotonic() + WAIT_S, []  # type: ignore[var-annotated]
        while len(times) < number and time.monotonic() < deadline:
            time.sleep(0.2 if number > 1 else 0.02)
            times += [at for _, _, at in crowd.take().facts]
        return times


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for."""
    files = raise_the_limit()
    bench = Bench(asked)
    of_live = resource.prlimit(bench.live()["live"], resource.RLIMIT_NOFILE)
    machine = {"cores": os.cpu_count(), "files": files, "files_of_live": list(of_live)}
    runs = []
    for number in asked.sockets:
        progress(f"{number} sockets")
        runs.append(bench.sockets(number))
    progress("Answers over HTTP and over sockets")
    answers = None if asked.no_answers else bench.answers()
    return {"options": vars(asked), "machine": machine, "runs": runs, "answers": answers}


def described(results: dict[str, Any]) -> str:
    """The results as tables."""
    rows = []
    for run in results["runs"]:
        topic, personal, storm = run["topic"]["ms"], run["personal"], run["storm"]
        rows.append(
            [
                f"{run['opened']}/{run['sockets']}",
                run["kib_per_socket"],
                run["connect"]["per_s"],
                run["idle_cores"],
                f"{topic.get('p50_ms')}/{topic.get('p99_ms')}",
                run["topic"]["cpu_us_per_delivery"]["live"],
                f"{personal['each']['ms'].get('p50_ms')}/{personal['each']['ms'].get('p99_ms')}",
                f"{personal['one']['ms'].get('p50_ms')}/{personal['one']['ms'].get('p99_ms')}",
                f"{storm['p50_s']}/{storm['p99_s']}/{storm['all_s']}",
            ]
        )
    head = [
        "sockets",
        "KiB each",
        "connects/s",
        "idle cores",
        "change → all p50/p99 ms",
        "µs each",
        "a fact for each ms",
    ]
    parts = [table([*head, "for one ms", "all back p50/p99/last s"], rows)]
    if results["answers"]:
        ways = [(name, run) for name, run in results["answers"].items() if isinstance(run, dict)]
        lines = [[name, run["answers_per_s"], run["ratio_to_http"], json.dumps(run["cpu_ms"])] for name, run in ways]
        parts.append(table(["way", "answers/s", "× HTTP", "CPU ms each"], lines))
    return "\n\n".join(parts)


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench live", description=__doc__.partition("\n")[0])
    parser.add_argument("--sockets", type=_numbers, default=[2_000, 10_000], help="how many, one run for each")
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--batches", type=int, default=20, help="batches on the board")
    parser.add_argument("--workers", type=int, default=32, help="who answer over HTTP and over sockets")
    parser.add_argument("--window", type=int, default=3, help="of stream mode")
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--no-answers", action="store_true")
    parser.add_argument("--patience", type=float, default=0.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    cpu.be_patient(asked.patience)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]

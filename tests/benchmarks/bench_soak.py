"""Sockets at work for a long time while everything beside PostgreSQL dies again and again (R23).

    ./run bench soak [--minutes 30] [--sockets 500] [--pace 10] [--json]

Everybody claims and submits over his own socket. After a calm fifth of the time Redis forgets everything each minute,
a live server is killed every two minutes and the relay in between (./run starts them again), and a fifth of the
clients lose their network all the time. At the end the list of each client must be his stream, number by number, and
the answers that were acknowledged must be those that are stored. Delivery is from when the event was written to when
the client had its fact. Exit code 1 when anything is missing, doubled or out of order.
"""

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

import redis

from tests.benchmarks import cpu
from tests.benchmarks.bench_live import crowd_of_workers
from tests.benchmarks.report import give, progress, table
from tests.benchmarks.seeding import VALUES, Market, analyze
from tests.benchmarks.sockets import HOST, raise_the_limit
from tests.live.soaking import Person, Soak, Trouble

CALM_SHARE = 0.2


def _kill(name: str) -> Callable[[], None]:
    def kill() -> None:
        # The oldest, so that of several each has its turn.
        pid = cpu.site_processes().get(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    return kill


def _forget() -> None:
    with contextlib.suppress(redis.RedisError):
        redis.Redis.from_url(os.environ["REDIS_URL"]).flushall()


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """One soak."""
    files = raise_the_limit()
    market = Market()
    seconds = 60 * asked.minutes
    batch = market.batch(round(asked.sockets * (3 + seconds / asked.pace)), overlap=1)
    people = [Person(worker.id, worker.key) for worker in crowd_of_workers(asked.sockets)]
    analyze()
    scale = asked.minutes / 30 if asked.scale else 1.0
    troubles = [
        Trouble("flushall", 30 * scale, 60 * scale, _forget),
        Trouble("kill_live", 45 * scale, 120 * scale, _kill("live")),
        Trouble("kill_relay", 100 * scale, 120 * scale, _kill("relay")),
    ]
    soak = Soak(
        f"ws://{HOST}:{os.environ['TOUCHSTONE_LIVE_PORT']}/ws/worker/",
        batch.public_id,
        people,
        pace_s=asked.pace,
        values=VALUES,
        flapping=asked.flapping,
        seed=asked.seed,
        flap_s=(5.0, 30.0),
        say=progress,
    )
    roots = cpu.site_processes()
    window = cpu.Window({name: pid for name, pid in roots.items() if not name.startswith(("live", "relay"))})
    found = asyncio.run(soak.run(calm_s=CALM_SHARE * seconds, trouble_s=(1 - CALM_SHARE) * seconds, troubles=troubles))
    wall, used, strangers = window.close()
    cores = {name: round(spent / wall, 3) for name, spent in used.items()} | {"strangers": round(strangers, 2)}
    return {"options": vars(asked), "files": files, **found, "cores": cores}


def described(found: dict[str, Any]) -> str:
    """The figures as a table."""
    calm, trouble = found["delivery_ms"]["calm"], found["delivery_ms"]["trouble"]
    rows = [
        ["sockets", found["sockets"]],
        ["facts", found["facts"]],
        ["answers", found["answers"]],
        ["delivery calm p50/p99/longest ms", f"{calm.get('p50')}/{calm.get('p99')}/{calm.get('max')}"],
        ["delivery in trouble", f"{trouble.get('p50')}/{trouble.get('p99')}/{trouble.get('max')}"],
        ["happened", found["happened"]],
        ["connections lost, resumed, snapshots", f"{found['losses']}, {found['resumes']}, {found['snapshots']}"],
        ["repeats dropped, gaps seen", f"{found['duplicates_dropped']}, {found['gaps']}"],
        ["problems", found["problems_in_all"]],
    ]
    return "\n".join([table(["", ""], rows), *found["problems"]])


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--pace", type=float, default=10.0, help="seconds that a worker takes for an answer")
    parser.add_argument("--flapping", type=float, default=0.2, help="share of the clients who lose their network")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", action="store_true", help="as many faults in less time, as if it were 30 minutes")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    found = measure(asked)
    give(found, described(found), as_json=asked.json)
    return 1 if found["problems"] else 0

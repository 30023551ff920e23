"""Slow sockets beside good ones (R26): whether those who do not read cost anybody but themselves.

    ./run bench slow [--good 450] [--stalled 50] [--rate 20] [--seconds 60] [--json]

Everybody gets `rate` facts a second of his own. After a while with the good ones alone, stalled ones join, who read
nothing any more, and come again whenever they are ended. Delivery is from the commit of a fact to its arrival at a good
socket. Exit code 1 when a good one misses a fact or a stalled one is borne with for longer than 30 s.
"""

import argparse
import base64
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks import cpu
from tests.benchmarks.bench_live import crowd_of_workers
from tests.benchmarks.report import give, percentiles_ms, progress, ratio, table
from tests.benchmarks.seeding import SeededWorker, analyze
from tests.benchmarks.sockets import HOST, Crowd, frame_bytes, raise_the_limit

PADDING = "x" * 200
WARM_S, SETTLE_S = 3.0, 2.0
BORNE_S_MAX = 30.0


@dataclass
class Stalled:
    """One who joins and reads nothing any more, again and again."""

    port: int
    person: SeededWorker
    borne_s: list[float] = field(default_factory=list)
    _socket: socket.socket | None = None
    _since: float = 0.0

    def look(self, kept: set[int]) -> None:
        """Come, or see whether one has been ended; `kept` are the ports of clients whom the server still holds."""
        if self._socket is None:
            self._join()
        elif self._socket.getsockname()[1] not in kept:
            self.borne_s.append(time.monotonic() - self._since)
            self.leave()

    @property
    def borne_now_s(self) -> float:
        """For how long the present connection has been borne with."""
        return 0.0 if self._socket is None else time.monotonic() - self._since

    def leave(self) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _join(self) -> None:
        made = socket.socket()
        # What the kernel takes for him would only hide that he does not read.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        made.settimeout(10)
        with suppress(OSError):
            made.connect((HOST, self.port))
            nonce = base64.b64encode(os.urandom(16)).decode()
            made.sendall(
                f"GET /ws/worker/ HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n"
                f"Authorization: Bearer {self.person.key}\r\n\r\n".encode()
            )
            while b"hello" not in made.recv(4_096):
                pass
            made.sendall(frame_bytes(b'{"type":"join"}'))
            self._socket, self._since = made, time.monotonic()
            return
        made.close()


class Teller:
    """Gives each of the workers a fact at a steady rate."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._number = 10**9
        self.achieved = 0.0
        self.told: dict[tuple[str, int], int] = {}  # key and number of the fact → when

    def tell(self, people: Sequence[SeededWorker], seconds: float, between: Any = lambda: None) -> None:
        """For so long; `between` is called after each round."""
        from marketplace.common.transactions import one_transaction
        from marketplace.streams.commands import append
        from marketplace.streams.routes import Fact, address_of_worker
        from marketplace.streams.wake import announce

        ids = [person.id for person in people]
        began, rounds = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            self._number += 1
            body = {"number": self._number, "padding": PADDING}
            with one_transaction(principal="bench"):
                heads = append([Fact(self._number, address_of_worker(pk), "place_taken", body) for pk in ids])
            at = time.monotonic_ns()
            announce(heads, {})
            self.told |= {(person.key, heads[address_of_worker(person.id)]): at for person in people}
            rounds += 1
            between()
            time.sleep(max(0.0, began + rounds / self.rate - time.monotonic()))
        self.achieved = rounds / (time.monotonic() - began)


def kept_by(port: int) -> set[int]:
    """The clients' ports of the connections that whoever listens at this port has not ended. The kernel is asked: the
    end itself cannot arrive where a client takes nothing."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    found = (fields[1:4] for fields in map(str.split, lines))
    return {int(to.partition(":")[2], 16) for at, to, state in found if at.endswith(f":{port:04X}") and state == "01"}


def phase(
    teller: Teller, crowd: Crowd, good: Sequence[SeededWorker], others: Sequence[Stalled], seconds: float
) -> dict[str, Any]:
    """Facts for everybody for so long, and what the good ones saw of theirs."""

    looked = 0.0

    def disturb() -> None:
        nonlocal looked
        if others and time.monotonic() - looked > 1.0:
            looked, kept = time.monotonic(), kept_by(others[0].port)
            for stalled in others:
                stalled.look(kept)

    everybody = [*good, *(stalled.person for stalled in others)]
    teller.tell(everybody, WARM_S, disturb)
    time.sleep(SETTLE_S)
    crowd.take()
    teller.told.clear()
    teller.tell(everybody, seconds, disturb)
    time.sleep(SETTLE_S)
    delays = [(at - teller.told[key, seq]) / 1e9 for key, seq, at in crowd.take().facts if (key, seq) in teller.told]
    return {
        "rate": round(teller.achieved, 1),
        "facts": len(delays),
        "missed": len(teller.told) // len(everybody) * len(good) - len(delays),
        "ms": percentiles_ms(delays),
        "live_mib": cpu.joined(cpu.rss_mib(cpu.named(cpu.site_processes(), "live")))["live"],
    }


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """First without and then with those who stall."""
    import django

    django.setup()
    raise_the_limit()
    port = int(os.environ["TOUCHSTONE_LIVE_PORT"])
    people = crowd_of_workers(asked.good + asked.stalled)
    analyze()
    good, others = people[: asked.good], people[asked.good :]
    crowd, teller = Crowd(port, processes=1), Teller(asked.rate)
    slow = [Stalled(port, person) for person in others]
    try:
        opened = crowd.connect([person.key for person in good])
        progress(f"{opened} good sockets are open")
        alone = phase(teller, crowd, good, [], asked.seconds)
        progress(f"  alone: {alone}")
        beside = phase(teller, crowd, good, slow, asked.seconds)
        progress(f"  beside {len(slow)} who stall: {beside}")
    finally:
        crowd.end()
        borne = [seconds for stalled in slow for seconds in (*stalled.borne_s, stalled.borne_now_s)]
        for stalled in slow:
            stalled.leave()
    return {
        "options": vars(asked),
        "opened": opened,
        "alone": alone,
        "beside": beside,
        "p99_ratio": ratio(beside["ms"]["p99_ms"], alone["ms"]["p99_ms"]),
        "memory_grew_mib": round(beside["live_mib"] - alone["live_mib"], 1),
        "ended": sum(len(stalled.borne_s) for stalled in slow),
        "borne_s_max": round(max(borne, default=0.0), 1),
    }


def described(found: dict[str, Any]) -> str:
    """The figures as a table."""
    rows = [
        [name, run["rate"], run["facts"], run["missed"], f"{run['ms'].get('p50_ms')}/{run['ms'].get('p99_ms')}"]
        for name, run in (("alone", found["alone"]), ("beside", found["beside"]))
    ]
    words = (
        f"p99 {found['p99_ratio']} times that without; memory grew by {found['memory_grew_mib']} MiB;"
        f" {found['ended']} stalled were ended, borne with for at most {found['borne_s_max']} s"
    )
    return "\n".join([table(["", "facts/s each", "facts", "missed", "p50/p99 ms"], rows), words])


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench slow", description=__doc__.partition("\n")[0])
    parser.add_argument("--good", type=int, default=450)
    parser.add_argument("--stalled", type=int, default=50)
    parser.add_argument("--rate", type=float, default=20.0, help="facts a second for each")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each half")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    found = measure(asked)
    give(found, described(found), as_json=asked.json)
    late = found["borne_s_max"] > BORNE_S_MAX or found["alone"]["missed"] or found["beside"]["missed"]
    return 1 if late else 0

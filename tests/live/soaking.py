"""Many workers on sockets while servers die: everybody works through his own socket, and what each saw is compared with
his stream, number by number (R23)."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketplace.common.database import rows
from marketplace.common.outbox import backlog
from tests.live.client import Frame, LiveClient
from tests.live.telling import beside

CATCH_UP_S = 90.0
# What a worker may be told when he asks for work; he comes back later.
NO_WORK = {404, 409}


@dataclass(frozen=True)
class Person:
    """A worker with a key."""

    worker_id: int
    key: str


@dataclass(frozen=True)
class Trouble:
    """Something that happens again and again."""

    name: str
    first_s: float
    every_s: float
    happen: Callable[[], None]


@dataclass
class Sitter:
    """One worker on his socket: what he saw, and what he was promised."""

    person: Person
    client: LiveClient
    chance: random.Random
    seen: list[tuple[int, str, str, Any]] = field(default_factory=list)  # seq, kind, epoch, body
    delays: list[tuple[float, float]] = field(default_factory=list)  # when it came, and how old it was
    submitted: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def take(self, fact: Frame) -> None:
        now = time.time()
        self.seen.append((fact["seq"], fact["kind"], fact["epoch"], fact["body"]))
        self.delays.append((now, now - datetime.fromisoformat(fact["at"]).timestamp()))

    async def work(self, batch: str, values: Frame, pace_s: float) -> None:
        """Claim one, think, submit and claim the next, for ever."""
        await asyncio.sleep(self.chance.uniform(0, pace_s))
        held: list[Frame] = []
        while True:
            if not held:
                reply = await self.client.command("claim", batch=batch, count=1)
                held = reply["body"]["assignments"] if reply["status"] == 201 else []
                if reply["status"] != 201:
                    self._refused(reply)
            await asyncio.sleep(self.chance.uniform(0.5, 1.5) * pace_s)
            if held:
                then = {"then_claim": {"batch": batch, "count": 1}}
                reply = await self.client.submit(held[0], values, **then)
                held = []
                if reply["status"] == 200:
                    outcomes = reply["body"]["outcomes"]
                    self.submitted += sum(outcome["outcome"] == "submitted" for outcome in outcomes)
                    held = reply["body"]["claimed"]
                else:
                    self._refused(reply)

    async def flap(self, shortest_s: float, longest_s: float) -> None:
        """Lose the network now and then."""
        while True:
            await asyncio.sleep(self.chance.uniform(shortest_s, longest_s))
            await self.client.drop()

    def _refused(self, reply: Frame) -> None:
        if reply["status"] not in NO_WORK:
            self.refusals[f"{reply['status']} {reply['body'].get('type', '')}"] += 1


@dataclass
class Soak:
    """Calm first, then trouble, then rest, then judgement."""

    url: str
    batch: str
    people: Sequence[Person]
    pace_s: float
    values: Frame = field(default_factory=lambda: {"label": "cat"})
    flapping: float = 0.2
    seed: int = 1
    flap_s: tuple[float, float] = (2.0, 10.0)
    say: Callable[[str], None] = lambda text: None
    happened: Counter[str] = field(default_factory=Counter)

    async def run(self, *, calm_s: float, trouble_s: float, troubles: Sequence[Trouble]) -> dict[str, Any]:
        """The figures, with `problems`: everything in which a client's list is not the stream."""
        sitters = [self._sitter(number, person) for number, person in enumerate(self.people)]
        began = time.monotonic()
        for number, sitter in enumerate(sitters):
            sitter.client.start()
            if number % 50 == 49:
                await asyncio.sleep(0.5)  # a crowd does not arrive at once, and the first look is not what is measured
        await asyncio.gather(*(sitter.client.until(lambda s=sitter: s.client.cursor, 120) for sitter in sitters))  # type: ignore[misc]
        self.say(f"{len(sitters)} sockets are open after {time.monotonic() - began:.1f} s")
        working = [asyncio.create_task(sitter.work(self.batch, self.values, self.pace_s)) for sitter in sitters]
        calm_from = time.time()
        await _sleep_beside(working, calm_s)
        calm_to = time.time()
        self.say("The trouble begins")
        restless = sitters[: round(self.flapping * len(sitters))]
        disturbing = [asyncio.create_task(sitter.flap(*self.flap_s)) for sitter in restless]
        disturbing += [asyncio.create_task(self._trouble(trouble, trouble_s)) for trouble in troubles]
        await _sleep_beside([*working, *disturbing], trouble_s)
        trouble_to = time.time()
        await _end(disturbing)
        self.say("The trouble is over")
        # Commands that are under way see their answers first, so that what was acknowledged is known.
        await self._let_finish(working, sitters)
        behind, heads = await self._caught_up(sitters)
        problems = [*behind, *await self._judged(sitters, heads)]
        for sitter in sitters:
            if sitter.client.failure is not None:
                problems.append(f"worker {sitter.person.worker_id} was refused: {sitter.client.failure}")
        refusals = sum((sitter.refusals for sitter in sitters), Counter[str]())
        problems += [f"{number} commands were refused: {what}" for what, number in refusals.items()]
        await asyncio.gather(*(sitter.client.stop() for sitter in sitters))
        spans = {"calm": (calm_from, calm_to), "trouble": (calm_to, trouble_to)}
        return self._figures(sitters, spans, problems)

    def _sitter(self, number: int, person: Person) -> Sitter:
        chance = random.Random(f"{self.seed}:{number}")
        client = LiveClient(self.url, key=person.key, chance=chance, on_fact=lambda fact: sitter.take(fact))
        sitter = Sitter(person, client, chance)
        return sitter

    async def _trouble(self, trouble: Trouble, within_s: float) -> None:
        await asyncio.sleep(trouble.first_s)
        started = time.monotonic() - trouble.first_s
        while time.monotonic() - started < within_s:
            await asyncio.to_thread(trouble.happen)
            self.happened[trouble.name] += 1
            self.say(f"  {trouble.name}")
            await asyncio.sleep(trouble.every_s)

    async def _let_finish(self, working: list["asyncio.Task[None]"], sitters: Sequence[Sitter]) -> None:
        deadline = time.monotonic() + CATCH_UP_S
        while any(sitter.client.unanswered for sitter in sitters) and time.monotonic() < deadline:
            for task, sitter in zip(working, sitters, strict=True):
                if not sitter.client.unanswered:
                    task.cancel()
            await asyncio.sleep(0.05)
        await _end(working)

    async def _caught_up(self, sitters: Sequence[Sitter]) -> tuple[list[str], dict[int, int]]:
        """Wait until nothing is left to relay and everybody has read his stream to its end; who has not, and the ends
        at that moment."""
        deadline = time.monotonic() + CATCH_UP_S
        while True:
            left = await beside(backlog, "streams")
            heads = await beside(_heads, [sitter.person.worker_id for sitter in sitters])
            places = [
                (sitter.person.worker_id, sitter.client.cursor["seq"] if sitter.client.cursor else 0)
                for sitter in sitters
            ]
            behind = [
                f"worker {worker_id} is at {seq}, his stream at {heads[worker_id]}"
                for worker_id, seq in places
                if heads.get(worker_id, 0) != seq
            ]
            if not left and not behind:
                return [], heads
            if time.monotonic() > deadline:
                return [*behind, *([f"{left} events are not relayed"] if left else [])], heads
            await asyncio.sleep(0.25)

    async def _judged(self, sitters: Sequence[Sitter], heads: dict[int, int]) -> list[str]:
        """What is wrong up to these ends: leases go on running out, and tell it, while streams are read here."""
        problems = []
        ids = [sitter.person.worker_id for sitter in sitters]
        streams = await beside(_streams, ids)
        answers = await beside(_answers, ids)
        for sitter in sitters:
            end, name = heads.get(sitter.person.worker_id, 0), f"worker {sitter.person.worker_id}"
            mine = [entry for entry in streams.get(sitter.person.worker_id, []) if entry[0] <= end]
            seen = [(seq, kind, body) for seq, kind, _, body in sitter.seen if seq <= end]
            if seen != mine:
                first = next((i for i, pair in enumerate(zip(seen, mine, strict=False)) if pair[0] != pair[1]), -1)
                problems.append(f"{name} saw {len(seen)} facts, his stream has {len(mine)}; they differ from {first}")
            if [entry[0] for entry in mine] != list(range(1, len(mine) + 1)):
                problems.append(f"the stream of {name} has gaps")
            if answers.get(sitter.person.worker_id, 0) != sitter.submitted:
                stored = answers.get(sitter.person.worker_id, 0)
                problems.append(f"{name} was acknowledged {sitter.submitted} answers, {stored} are stored")
        return problems

    def _figures(
        self, sitters: Sequence[Sitter], spans: dict[str, tuple[float, float]], problems: list[str]
    ) -> dict[str, Any]:
        counts = [sitter.client.counts for sitter in sitters]
        closes: Counter[int] = Counter()
        for count in counts:
            closes.update(count.closes)
        delivered = {
            name: percentiles([late for sitter in sitters for at, late in sitter.delays if since <= at < till])
            for name, (since, till) in spans.items()
        }
        return {
            "sockets": len(sitters),
            "facts": sum(len(sitter.seen) for sitter in sitters),
            "answers": sum(sitter.submitted for sitter in sitters),
            "happened": dict(self.happened),
            "delivery_ms": delivered,
            "connects": sum(count.connects for count in counts),
            "losses": sum(count.losses for count in counts),
            "closes": {str(code): number for code, number in sorted(closes.items())},
            "resumes": sum(count.resumes for count in counts),
            "snapshots": sum(count.snapshots for count in counts),
            "gaps": sum(count.gaps for count in counts),
            "duplicates_dropped": sum(count.duplicates for count in counts),
            "problems": problems[:50],
            "problems_in_all": len(problems),
        }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Count, p50, p99 and the longest in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0}
    at = {"p50": 0.50, "p99": 0.99, "max": 1.0}
    found = {
        name: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) for name, share in at.items()
    }
    return {"n": len(ordered), **found}


async def _sleep_beside(tasks: Sequence["asyncio.Task[Any]"], seconds: float) -> None:
    """Sleep, unless one of the tasks fails meanwhile; then fail like it."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        if not task.cancelled() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc]


async def _end(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _heads(worker_ids: list[int]) -> dict[int, int]:
    found = rows("SELECT name, seq FROM streams_stream WHERE name = ANY(%s)", [[f"worker:{i}" for i in worker_ids]])
    return {int(name.removeprefix("worker:")): seq for name, seq in found}


def _streams(worker_ids: list[int]) -> dict[int, list[tuple[int, str, Any]]]:
    found: dict[int, list[tuple[int, str, Any]]] = {}
    for name, seq, kind, body in rows(
        "SELECT stream, seq, kind, body FROM streams_entry WHERE stream = ANY(%s) ORDER BY stream, seq",
        [[f"worker:{i}" for i in worker_ids]],
    ):
        found.setdefault(int(name.removeprefix("worker:")), []).append((seq, kind, body))
    return found


def _answers(worker_ids: list[int]) -> dict[int, int]:
    return dict(
        rows(
            "SELECT worker_id, count(*) FROM assignments_assignment WHERE worker_id = ANY(%s)"
            " AND submitted_at IS NOT NULL GROUP BY worker_id",
            [worker_ids],
        )
    )

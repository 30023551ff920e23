"""The fault plan: drawn from the seed before the run, the same for the same seed, length and number of kills."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

QUIET_START_S = 2.0
QUIET_END_S = 1.5

# What is killed, with its share; PostgreSQL gets its own share before the others are drawn.
POSTGRES_SHARE = 0.3
KILLS = {
    "kill_valkey": 2,
    "kill_web_worker": 3,
    "kill_web": 1,
    "kill_live": 2,
    "kill_relay": 2,
    "kill_worker": 2,
    "kill_pool_child": 2,
    "kill_beat": 2,
}
# What else happens, with how often in each minute.
OTHERS = {
    "flushall": 2.0,
    "stop_web_worker": 1.0,
    "stop_worker": 1.0,
    "stop_clients": 1.0,
    "terminate_backends": 3.0,
    "second_beat": 1.0,
    "clock_jump": 2.0,
    "cut_answers": 2.0,
    # "disk_full" belongs here with the issue that brings a media volume: fill it, wait, free it.
}


@dataclass(frozen=True)
class Fault:
    """One fault: when it begins, in seconds from the start, how long it lasts, and how hard it is."""

    at: float
    kind: str
    seconds: float = 0.0
    size: float = 0.0

    @property
    def kills(self) -> bool:
        return self.kind.startswith("kill_")

    def __str__(self) -> str:
        more = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:7.1f} s  {self.kind}{more}" + (f" ({self.size:+.2f})" if self.size else "")


def draw(*, seed: int, seconds: float, kills: int) -> list[Fault]:
    """The plan of a run, in order of time: exactly `kills` kills, three of ten of them PostgreSQL."""
    chance = Random(f"plan:{seed}:{seconds}:{kills}")
    span = max(0.5, seconds - QUIET_START_S - QUIET_END_S)
    kinds = ["kill_postgres"] * max(min(kills, 3), round(kills * POSTGRES_SHARE))
    # Each of the others once before any comes twice, as far as the number goes.
    others = sorted(KILLS, key=lambda _: chance.random())
    while len(kinds) < kills:
        kinds.append(others.pop() if others else chance.choices(list(KILLS), list(KILLS.values()))[0])
    chance.shuffle(kinds)
    # Kills are spread evenly, with some play, so that each finds its victim back at work.
    slot = span / max(1, len(kinds))
    plan = [Fault(_at(number * slot + chance.uniform(0, slot * 0.6)), kind) for number, kind in enumerate(kinds)]
    for kind, each_minute in OTHERS.items():
        for _ in range(_times(each_minute * seconds / 60, chance)):
            plan.append(_drawn(kind, _at(chance.uniform(0, span)), seconds, chance))
    return sorted(plan, key=lambda fault: fault.at)


def _times(wanted: float, chance: Random) -> int:
    return int(wanted) + (chance.random() < wanted - int(wanted))


def _at(offset: float) -> float:
    return round(QUIET_START_S + offset, 2)


def _drawn(kind: str, at: float, seconds: float, chance: Random) -> Fault:
    left = max(0.5, seconds - at)
    if kind in ("stop_web_worker", "stop_worker"):
        return Fault(
            at, kind, seconds=round(min(left, chance.uniform(1, 20) if seconds > 120 else chance.uniform(1, 8)), 1)
        )
    if kind == "stop_clients":
        return Fault(at, kind, seconds=round(min(left, chance.uniform(6.5, 10)), 1))  # past the end of their leases
    if kind == "terminate_backends":
        return Fault(at, kind, size=chance.choice([0.2, 0.5, 1.0]))
    if kind == "second_beat":
        return Fault(at, kind, seconds=round(min(left, chance.uniform(3, 8)), 1))
    if kind == "clock_jump":
        return Fault(at, kind, seconds=round(min(left, chance.uniform(4, 12)), 1), size=chance.choice([-600.0, 600.0]))
    if kind == "cut_answers":
        return Fault(
            at, kind, seconds=round(min(left, chance.uniform(2, 5)), 1), size=round(chance.uniform(0.2, 0.8), 2)
        )
    return Fault(at, kind)


def counts(plan: Iterable[Fault]) -> dict[str, int]:
    """How many of each kind."""
    found: dict[str, int] = {}
    for fault in plan:
        found[fault.kind] = found.get(fault.kind, 0) + 1
    return dict(sorted(found.items()))

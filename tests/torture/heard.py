"""What listeners heard against their streams. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.torture.findings import DUPLICATED, INVARIANT, LOST, Finding
from tests.torture.journal import Fact

# A fact that is stored may take so long to whoever is connected.
ON_ITS_WAY_S = 10.0


@dataclass(frozen=True)
class Entry:
    """A fact as its stream keeps it, and when it was put there."""

    kind: str
    at: float


def heard(facts: Iterable[Fact], streams: Mapping[str, Mapping[int, Entry]], ended: bool) -> Iterator[Finding]:
    """Everything that a listener heard out of order, twice, not at all, or that his stream does not hold.

    `ended`: the listeners have left, so that what was stored while they listened must have been heard.
    """
    reached: dict[str, int] = {}
    for fact in facts:
        who = fact["who"]
        if fact["did"] == "began":
            if who in reached:
                yield Finding(LOST, "heard", f"{who} was given a snapshot", f"after {reached[who]}: {fact['seq']}")
            reached[who] = fact["seq"]
        elif fact["did"] == "heard":
            wanted = reached.get(who, 0) + 1
            if fact["seq"] != wanted:
                kind = LOST if fact["seq"] > wanted else DUPLICATED
                yield Finding(kind, "heard", f"{who} heard {fact['seq']}", f"when {wanted} was next")
            reached[who] = fact["seq"]
            stored = streams.get(fact["worker"], {}).get(fact["seq"])
            if stored is None or stored.kind != fact["kind"]:
                yield Finding(INVARIANT, "heard", f"{who} heard {fact['seq']}", f"{fact['kind']}, stored is {stored}")
        elif fact["did"] == "left" and ended:
            for seq, entry in streams.get(fact["worker"], {}).items():
                if seq > fact["seq"] and max(entry.at, fact["since"]) < fact["at"] - ON_ITS_WAY_S:
                    yield Finding(LOST, "heard", f"{who} never heard {seq}", f"{entry}, he left at {fact['at']}")

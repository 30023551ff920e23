"""The only place of this app that locks rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.common.database import rows
from workers.reputation.facets import NOTHING, STRANGER
from workers.reputation.scoring import Tally

Pair = tuple[int, int]
Part = tuple[int, str, int]


@dataclass
class Held:
    """A standing under its lock, with what has happened since it was last shown."""

    tally: Tally
    answers: int
    judged: int
    agreed: int
    taken_back: int


def opened(pairs: Sequence[Pair], parts: Sequence[Part]) -> tuple[dict[Pair, Held], dict[Part, Tally]]:
    """Standings by (worker, project) and parts of facets by (worker, facet, requester), made where they are missing and
    locked in the order of their keys, standings first."""
    standings: dict[Pair, Held] = {}
    tallies: dict[Part, Tally] = {}
    for worker, facet, holder, alpha, beta, evidence, day, answers, judged, agreed, undone in rows(
        "SELECT * FROM reputation_open(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[])",
        [
            [pair[0] for pair in pairs],
            [pair[1] for pair in pairs],
            [part[0] for part in parts],
            [part[1] for part in parts],
            [part[2] for part in parts],
        ],
    ):
        if facet:
            tallies[worker, facet, holder] = Tally(alpha, beta, evidence, day, NOTHING.floor)
        else:
            tally = Tally(alpha, beta, evidence, day, STRANGER.floor)
            standings[worker, holder] = Held(tally, answers, judged, agreed, undone)
    return standings, tallies

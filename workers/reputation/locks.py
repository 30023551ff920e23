"""The only place of this app that locks rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


def wanted_for_update(kinds: list[str], limit: int) -> list[tuple[Any, ...]]:
    """The oldest wanted actions of these kinds that no other transaction has: id, firing, kind, action, worker, batch,
    name of the rule, words."""
    return rows(
        "SELECT w.id, w.firing_id, w.kind, w.action, w.worker_id, w.batch_id, f.rule->>'name', f.words"
        " FROM reputation_wanted w JOIN reputation_firing f ON f.id = w.firing_id"
        " WHERE w.done_at IS NULL AND w.kind = ANY(%s) ORDER BY w.id LIMIT %s FOR NO KEY UPDATE OF w SKIP LOCKED",
        [kinds, limit],
    )

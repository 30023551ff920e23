"""When a batch that is not published yet would be done, by how its project's last ones went."""

from dataclasses import dataclass
from math import sqrt

from marketplace.batches.models import Batch
from marketplace.common.database import rows

# So many of the project's last batches are looked at, and of each the newest so many answers.
LAST, NEWEST = 5, 2_000
# Of a batch with fewer answers the pace says nothing.
LEAST = 10
# Standard deviations of what comes by chance, for 95 of 100.
DEVIATIONS = 1.96


@dataclass(frozen=True)
class Calendar:
    """From the first lease to the last answer, nights and all.

    finish_s        at the pace of the project's last batch
    low_s, high_s   at the fastest and the slowest pace of those that were looked at, each moved by chance
    batches         how many were looked at
    answers         of the last one, that its pace is reckoned from
    name            of the last one
    """

    finish_s: float
    low_s: float
    high_s: float
    batches: int
    answers: int
    name: str


def calendar_of(batch: Batch, places: int) -> Calendar | None:
    """How long so many answers would take; None where no batch of the project has enough of them."""
    found = rows(
        "SELECT b.name, n.answers, n.took_s FROM ("
        "   SELECT id, name, published_at FROM batches_batch WHERE project_id = %s AND id <> %s"
        "    AND published_at IS NOT NULL ORDER BY published_at DESC LIMIT %s) b"
        " CROSS JOIN LATERAL ("
        "   SELECT count(*) AS answers,"
        "          extract(epoch FROM max(a.submitted_at) - min(a.leased_at))::float8 AS took_s FROM ("
        "      SELECT submitted_at, leased_at FROM assignments_assignment WHERE batch_id = b.id"
        "         AND submitted_at IS NOT NULL ORDER BY id DESC LIMIT %s) a) n"
        " WHERE n.answers >= %s AND n.took_s > 0 ORDER BY b.published_at DESC",
        [batch.project_id, batch.pk, LAST, NEWEST, LEAST],
    )
    if not found:
        return None
    # Answers come as by chance (Poisson), so that of n counted the pace is off by the root of n or so.
    fastest = max((count + DEVIATIONS * sqrt(count)) / took_s for _name, count, took_s in found)
    slowest = min((count - DEVIATIONS * sqrt(count)) / took_s for _name, count, took_s in found)
    name, answers, took_s = found[0]
    return Calendar(places * took_s / answers, places / fastest, places / slowest, len(found), answers, name)

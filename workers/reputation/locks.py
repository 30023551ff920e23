"""The only place of this app that locks rows."""

from marketplace.common.database import rows


def standings_for_update(pairs: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[float, float, int, int]]:
    """Standings by (worker, project), locked in that order: alpha, beta, evidence, answers."""
    return {
        (row[0], row[1]): (row[2], row[3], row[4], row[5])
        for row in rows(
            "SELECT s.worker_id, s.project_id, s.alpha, s.beta, s.evidence, s.answers FROM reputation_standing s"
            " JOIN unnest(%s::bigint[], %s::bigint[]) AS w(worker, project)"
            " ON s.worker_id = w.worker AND s.project_id = w.project"
            " ORDER BY s.worker_id, s.project_id FOR NO KEY UPDATE OF s",
            [[pair[0] for pair in pairs], [pair[1] for pair in pairs]],
        )
    }

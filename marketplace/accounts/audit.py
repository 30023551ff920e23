"""The audit log once more, row by row: what `./run check --log` and the staff's page do.

The leaves and the chain are computed anew, by other code than the trigger's, and the first row that differs is named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marketplace.common.chains import BadRow, Chain, leaf_of, micros_of, passes, stream
from marketplace.common.transactions import snapshot


@dataclass
class LogAudit:
    """How many rows were looked at, and the first one that is wrong, if any."""

    rows: int = 0
    anchors: int = 0
    first_bad: str | None = None


def audit_log(progress: Callable[[str, int], None] = lambda what, number: None) -> LogAudit:
    """Follow the chain from its start through every anchor to its head, in one snapshot and in little memory."""
    done = LogAudit()
    with snapshot():
        try:
            _rows(done, progress)
        except BadRow as bad:
            done.first_bad = str(bad)
    return done


def leaf(row: dict[str, Any]) -> bytes:
    """What a row says as one hash: version 1, id, act, actor, way, subject and its id, reason, what was before and
    after as the database spells it, the id of the request, and microseconds since 1970."""
    names = ("id", "act", "actor_id", "via", "subject", "subject_id", "why", "before", "after", "request_id")
    return leaf_of([1, *(row[name] for name in names), micros_of(row["made_at"])])


def _rows(done: LogAudit, progress: Callable[[str, int], None]) -> None:
    walked = Chain()
    sealed = (
        "SELECT x.seq, x.act_id, x.leaf, x.hash, a.id, a.act, a.actor_id, a.via, a.subject, a.subject_id, a.why,"
        " a.before::text AS before, a.after::text AS after, a.request_id, a.made_at"
        " FROM accounts_actseal x LEFT JOIN accounts_act a ON a.id = x.act_id ORDER BY x.seq"
    )
    for row in stream("log_seals", sealed):
        walked.follow(
            f"row {row['seq']} (act {row['act_id']})",
            seq=row["seq"],
            leaf=bytes(row["leaf"]),
            said=None if row["id"] is None else leaf(row),
            hash=bytes(row["hash"]),
        )
        done.rows += 1
        if done.rows % 100_000 == 0:
            progress("rows", done.rows)
    # Rows of this very transaction, if there are any, are sealed when it commits.
    unsealed = (
        "SELECT a.id FROM accounts_act a WHERE a.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()"
        " AND NOT EXISTS (SELECT 1 FROM accounts_actseal x WHERE x.act_id = a.id) ORDER BY a.id LIMIT 1"
    )
    for row in stream("log_unsealed", unsealed):
        raise BadRow(f"act {row['id']} has no place in the chain")
    written_down = (
        "SELECT n.day, n.seq, n.hash, x.hash AS found FROM accounts_actanchor n"
        " LEFT JOIN accounts_actseal x ON x.seq = n.seq WHERE n.seq > 0 ORDER BY n.day"
    )
    for row in stream("log_anchors", written_down):
        found = None if row["found"] is None else bytes(row["found"])
        passes(day=row["day"], seq=row["seq"], hash=bytes(row["hash"]), found=found)
        done.anchors += 1
    for row in stream("log_head", "SELECT seq, hash FROM accounts_acthead"):
        walked.end(seq=row["seq"], hash=bytes(row["hash"]))

"""Keep the figures of batches that somebody looks at."""

from psycopg.types.json import Jsonb

from marketplace.common.database import run
from marketplace.common.transactions import require_transaction
from marketplace.results.models import Figures
from marketplace.results.queries.figures import Look, due_figures

# Whoever asked for them within so long is taken to look on still; and pages ask again while they are open.
WATCHED_S = 600
# They are worked out at most so often, and take at most such a part of the time. Who died over them is given up on.
PAUSE_S, PART, GIVEN_UP_S = 5.0, 20, 120


def want_figures(*, batch_id: int) -> None:
    """Say that somebody looks at the batch's figures: they are worked out, and kept up while he does. Repeatable."""
    require_transaction()
    run(
        "INSERT INTO results_figures AS f (batch_id, wanted_at) VALUES (%s, market_now())"
        " ON CONFLICT (batch_id) DO UPDATE SET wanted_at = excluded.wanted_at"
        # Whoever looks on asks every few seconds; that need not write a row each time.
        " WHERE f.wanted_at < excluded.wanted_at - interval '30 seconds'",
        [batch_id],
    )


def take_figures() -> int | None:
    """The next batch whose figures are due, for the caller alone; None where none is.

    Due are those that somebody looks at, that have changed since, or are worked out for the first time, or once more
    after the last change; and not before a pause that grows with what they cost.
    """
    require_transaction()
    for batch_id in due_figures(watched_s=WATCHED_S, pause_s=PAUSE_S, part=PART, given_up_s=GIVEN_UP_S):
        taken = run(
            "UPDATE results_figures SET begun_at = market_now() WHERE batch_id = %s"
            " AND (begun_at IS NULL OR begun_at < market_now() - make_interval(secs => %s))",
            [batch_id, GIVEN_UP_S],
        )
        if taken:
            return batch_id
    return None


def keep_figures(*, batch_id: int, look: Look, seen: dict[str, int], took_ms: int) -> None:
    """Keep what was worked out from a batch with these counts, and let others work it out again."""
    require_transaction()
    before = Figures.objects.filter(pk=batch_id).values_list("seen", flat=True).first()
    run(
        "INSERT INTO results_figures AS f (batch_id, body, seen, rests, took_ms, wanted_at, made_at)"
        " VALUES (%s, %s, %s, %s, %s, market_now(), market_now()) ON CONFLICT (batch_id) DO UPDATE SET"
        " body = excluded.body, seen = excluded.seen, rests = excluded.rests, took_ms = excluded.took_ms,"
        " made_at = excluded.made_at, begun_at = NULL",
        [batch_id, Jsonb(look.as_json()), Jsonb(seen), before == seen, took_ms],
    )

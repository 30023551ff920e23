"""Plan hidden gold before a claim. No table of keys is read here: a claim of gold runs what every claim runs."""

from random import Random
from typing import Any

from marketplace.accounts.queries import live_sanctions
from marketplace.common.database import one, run
from marketplace.common.transactions import require_transaction
from workers.gold.injection import Policy, Schedule, advance, allowed
from workers.profiles.queries import users_of_person
from workers.reputation.queries import posterior_of


def draw_schedule(
    *,
    worker_id: int,
    batch_id: int,
    project_id: int,
    requester_id: int,
    policy: dict[str, Any],
    count: int,
    chance: Random,
) -> None:
    """Draw the worker's schedule of gold in the batch as far as his next `count` places need it.

    It says at which of his positions he is to be shown gold; the claim moves the position on. What is drawn already
    stays. Whoever is under a sanction `extra_gold` meets twice as much in what is drawn while it is in force. Where the
    batch has a budget, what was shown and what is drawn of all workers is held against it; of several who draw at the
    same moment none sees the others'. The caller holds the worker's row.
    """
    require_transaction()
    row = one(
        "SELECT position, phase_end, gold_positions FROM gold_schedule WHERE worker_id = %s AND batch_id = %s",
        [worker_id, batch_id],
    )
    schedule = Schedule(row[0], row[1], tuple(row[2])) if row else Schedule()
    rules = Policy(**policy)
    low, high = posterior_of(worker_id=worker_id, project_id=project_id).posterior.interval()
    extra = live_sanctions(
        users_of_person(worker_id),
        scopes=[("batch", batch_id), ("project", project_id), ("requester", requester_id)],
        measures=["extra_gold"],
    ).exists()
    allowance = None
    if rules.budget is not None:
        spent = one("SELECT places, spent FROM gold_spent(%s)", [batch_id])
        assert spent is not None
        allowance = allowed(rules, places=int(spent[0]), spent=int(spent[1]))
    _, drawn = advance(schedule, count, rules, high - low, chance, extra=extra, allowance=allowance)
    run(
        "INSERT INTO gold_schedule (worker_id, batch_id, position, phase_end, gold_positions)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (worker_id, batch_id) DO UPDATE SET"
        " phase_end = excluded.phase_end, gold_positions = excluded.gold_positions",
        [worker_id, batch_id, drawn.position, drawn.phase_end, list(drawn.gold_positions)],
    )

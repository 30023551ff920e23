"""Change in which order the tasks of a batch are given out, while it runs."""

from collections.abc import Sequence
from typing import Any

from marketplace.batches.commands.lifecycle import require_no_import
from marketplace.batches.errors import PrioritiesInvalid, WrongState
from marketplace.batches.locks import share_batch
from marketplace.batches.models import Batch
from marketplace.batches.queries import tasks_called
from marketplace.batches.row_checks import level_of
from marketplace.batches.states import BatchState
from marketplace.common.database import value
from marketplace.common.transactions import require_transaction

ERRORS_SHOWN = 100


def set_priorities(*, batch_id: int, wanted: Sequence[dict[str, Any]]) -> int:
    """Give tasks, named by `external_id`, a `priority` or a `score` each; how many changed. Repeatable.

    One that is queued goes behind all that are in its new level. Locks batch (shared), tasks, then the queue's tail.
    Raises `PrioritiesInvalid` naming each item that is wrong, `WrongState`, `ImportRunning`.
    """
    require_transaction()
    share_batch(batch_id)
    batch = Batch.objects.get(pk=batch_id)
    if batch.state not in (BatchState.DRAFT, BatchState.PUBLISHED, BatchState.PAUSED):
        raise WrongState("This batch gives out no more tasks.", state=batch.state)
    require_no_import(batch_id)
    levels: dict[str, int] = {}
    errors: list[dict[str, Any]] = []
    for number, item in enumerate(wanted):
        name = item["external_id"]
        given = [kind for kind in ("priority", "score") if kind in item]
        found = level_of(batch.order, given[0], item[given[0]]) if len(given) == 1 else "give a priority or a score"
        if isinstance(found, str):
            errors.append({"item": number, "field": given[0] if len(given) == 1 else "", "message": found})
        elif name in levels:
            errors.append({"item": number, "field": "external_id", "message": f"{name!r} is named twice"})
        levels[name] = found if isinstance(found, int) else 0
    known = tasks_called(batch_id, levels)
    errors += [
        {"item": number, "field": "external_id", "message": f"there is no task {item['external_id']!r}"}
        for number, item in enumerate(wanted)
        if item["external_id"] not in known
    ]
    if errors:
        errors.sort(key=lambda error: error["item"])
        raise PrioritiesInvalid(
            f"{len(errors)} of the items are wrong; none was changed.", errors=errors[:ERRORS_SHOWN]
        )
    return int(
        value(
            "SELECT batches_set_priorities(%s, %s, %s)",
            [batch_id, [known[name] for name in levels], list(levels.values())],
        )
    )

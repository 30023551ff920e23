"""Where one label comes from: its results, the answers that they rest on, what was settled by hand, and the data sets
that have it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.batches.models import Batch
from marketplace.common.database import rows
from marketplace.results.models import Dataset, Run
from marketplace.results.queries.quality import provenance_page
from marketplace.results.queries.review import Look, Ruling, item_of, task_of
from marketplace.results.states import DatasetState


@dataclass(frozen=True)
class Used:
    """An answer that results rest on: the revision that was read, and the fields in which it says something."""

    look: Look
    revision: int
    fields: list[str]


@dataclass(frozen=True)
class Lineage:
    """One task in one run. `unused` are answers that this run did not read: they were not paid then, have no vote, or
    came later. `datasets` are numbers of finished versions made from this run."""

    task: str
    data: dict[str, Any]
    run: Run
    results: list[dict[str, Any]]
    used: list[Used]
    unused: list[Look]
    rulings: list[Ruling]
    datasets: list[int]


def lineage_of(batch: Batch, run: Run, task: str) -> Lineage:
    """The lineage of a task's results in a run of the batch. Raises `NotFound` for a task that is not there."""
    task_id = task_of(batch.pk, task)
    item = item_of(batch, task_id)
    # Behind the one before it, this task is the first where it has provenance at all.
    page = provenance_page(run, after_id=task_id - 1, limit=1)
    read = page[0]["answers"] if page and page[0]["cursor"] == task_id else []
    of_run = {UUID(answer["answer"]): answer for answer in read}
    results = rows(
        "SELECT field, value, confidence, answers, method FROM results_result WHERE run_id = %s AND task_id = %s"
        " ORDER BY field",
        [run.pk, task_id],
    )
    made = Dataset.objects.filter(batch=batch, run=run, state=DatasetState.DONE) if results else Dataset.objects.none()
    return Lineage(
        task=item.task,
        data=item.data,
        run=run,
        results=[dict(zip(("field", "value", "confidence", "answers", "method"), row, strict=True)) for row in results],
        used=[
            Used(look, of_run[look.id]["revision"], of_run[look.id]["fields"])
            for look in item.looks
            if look.id in of_run
        ],
        unused=[look for look in item.looks if look.id not in of_run],
        rulings=item.rulings,
        datasets=list(made.order_by("number").values_list("number", flat=True)),
    )

"""Versions of data sets: asked for by a requester, and built in steps.

Items are gathered from a run of results a page at a time, each page with its cursor in one transaction. Then splits are
drawn and the whole is looked at. Then the format's writer is called for one stretch of items after the other; its files
lie on the disk meanwhile, and come into the database with the cursor. At last `sealing` makes one archive of them. So a
process that dies loses its step and nothing else, and any other goes on from there; and the same run and options give
the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from marketplace.accounts.commands.acts import record
from marketplace.batches.locks import hold_batch
from marketplace.batches.models import Batch
from marketplace.common.database import MarketNow
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction, require_transaction
from marketplace.projects.answer_types.base import FieldInvalid
from marketplace.results.commands.gathering import arrange, gather
from marketplace.results.commands.holding import Lost, fail
from marketplace.results.commands.sealing import seal
from marketplace.results.commands.writing import write
from marketplace.results.errors import BuildRefused, TooManyDatasets
from marketplace.results.models import Dataset, Run
from marketplace.results.plans import Plan
from marketplace.results.states import DatasetState
from marketplace.results.writers.registry import writers

UNFINISHED_MAX = 5
STEPS: dict[str, Callable[[Dataset], None]] = {
    DatasetState.GATHERING: gather,
    DatasetState.ARRANGING: arrange,
    DatasetState.WRITING: write,
    DatasetState.SEALING: seal,
}
MOVED = ["state", "stretch", "after_task_id", "items", "answers", "tally", "losses", "validation"]


def ask_for_dataset(
    *, batch: Batch, run_of: Run, format: str, options: Mapping[str, Any], plan: Mapping[str, Any], by: int
) -> Dataset:
    """Begin a new version of the batch's data set; `advance` builds it.

    Locks the batch. Raises `Unprocessable` naming each option that is wrong, `TooManyDatasets`.
    """
    require_transaction()
    interface = batch.version.interface
    known = writers()
    if format not in known:
        raise Unprocessable(
            "There is no such format.", errors=[{"field": "format", "message": f"must be one of {', '.join(known)}"}]
        )
    writer = known[format]
    try:
        checked = writer.check_options(options, data=interface["data"], answer=interface["answer"])
    except FieldInvalid as invalid:
        raise Unprocessable(
            "Some options are not valid.",
            errors=[
                {"field": f"options.{error.path}" if error.path else "options", "message": error.message}
                for error in invalid.errors
            ],
        ) from None
    shaped = Plan.read(plan, interface=interface, answers=writer.answers)
    hold_batch(batch.pk)
    versions = Dataset.objects.filter(batch=batch)
    if versions.filter(finished_at=None).count() >= UNFINISHED_MAX:
        raise TooManyDatasets(f"At most {UNFINISHED_MAX} are built at a time; wait until one is finished.")
    last = versions.order_by("-number").values_list("number", flat=True).first()
    made = Dataset.objects.create(
        batch=batch,
        run=run_of,
        number=(last or 0) + 1,
        format=format,
        options=checked,
        plan=shaped.told(),
        made_by_id=by,
        made_at=MarketNow(),
        touched_at=MarketNow(),
    )
    made.refresh_from_db()
    record(
        "export.dataset_asked",
        subject="batch",
        subject_id=batch.public_id,
        by=by,
        after={"version": made.number, "format": format},
    )
    return made


def advance(it: Dataset) -> Iterator[bool]:
    """Take the version's steps one by one, each in a transaction of its own; yields after each but the last.

    Ends where it is finished, or another process takes over.
    """
    try:
        while it.state in STEPS:
            STEPS[it.state](it)
            it.refresh_from_db(fields=MOVED)
            if it.state in STEPS:
                yield True
    except BuildRefused as refused:
        with one_transaction(principal="system"):
            fail(it, str(refused))
    except Lost:
        return

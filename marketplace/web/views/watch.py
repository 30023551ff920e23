"""A batch while it runs: where it stands now, and what its answers look like."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from marketplace.api.looks import note_table
from marketplace.batches.models import Batch
from marketplace.batches.queries import goes_on_in
from marketplace.batches.states import PAUSE_EXPLAINED, BatchState
from marketplace.common.cells import as_csv
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.figures import want_figures
from marketplace.results.queries.agreement import external_ids
from marketplace.results.queries.figures import Kept, kept_figures
from marketplace.results.queries.standing import batch_state
from marketplace.web.batch_words import state_of
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.watching import (
    Places,
    Table,
    fields_of,
    gold_of,
    hardest_of,
    keys_of,
    money_of,
    reports_of,
    tables_of,
    throughput_of,
)
from workers.gold.commands.audit import note_look
from workers.gold.queries import key_counts, keys_page, verdicts_in
from workers.profiles.commands import pseudonyms

RUNNING = (BatchState.PUBLISHED, BatchState.PAUSED)
WORKERS_SHOWN = 8
# A file has so many known answers; the API lists all of them, page by page.
KEYS_MAX = 1_000


@require_safe
@console_page()
def overview(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """How the batch goes. A draft is set up first."""
    if batch.state == BatchState.DRAFT:
        return redirect("console_batch_setup", batch.public_id)
    state = batch_state(batch.pk)
    kept = wanted_figures(batch)
    parts, table = money_of(state, Places(batch))
    progress = state["progress"]
    context = {
        **frame_of(request, batch),
        "now": state,
        "answered": progress["submitted"] + progress["accepted"],
        "parts": parts,
        "money_table": table,
        "kept": kept,
        "goes_on_in": goes_on_in(batch),
        "pause": PAUSE_EXPLAINED.get(batch.pause_reason, ""),
        **(_figures(batch, kept) if kept else {}),
    }
    if request.may("reviewer"):
        with one_transaction(principal="gold"):
            context |= {"gold": key_counts(batch.pk), "verdicts": (met := verdicts_in(batch.pk)), "met": gold_of(met)}
    return render(request, "console/watch.html", context)


@require_safe
@console_page()
def file_of(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """The table of one chart as CSV, which the address names."""
    name = request.GET.get("table", "")
    if not name:
        return redirect("console_batch", batch.public_id)
    if batch.state == BatchState.DRAFT:
        raise Http404
    if name in ("gold", "keys"):
        table = _gold_table(request, batch, name) if request.may("reviewer") else None
    else:
        kept = wanted_figures(batch)
        names = _names(batch, kept.look.worker_ids) if kept and name == "workers" else {}
        table = tables_of(batch, batch_state(batch.pk), kept.look if kept else None, names).get(name)
    return as_file(request, batch, table)


def as_file(request: ConsoleRequest, batch: Batch, table: Table | None) -> HttpResponse:
    """A table to take home, which is written down; without one there is nothing."""
    if table is None:
        raise Http404
    note_table(request, batch, table.name.partition("-")[0])
    return HttpResponse(
        b"".join(as_csv([column.key for column in table.columns], table.csv_rows)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{table.name}.csv"'},
    )


def _gold_table(request: ConsoleRequest, batch: Batch, name: str) -> Table:
    """Of known answers, which are for reviewers; who looks at them one by one is written down as on their page."""
    with one_transaction(principal="gold"):
        if name == "gold":
            return gold_of(verdicts_in(batch.pk))
        note_look(batch_id=batch.pk, user_id=request.user.pk, what="keys")
        keys = keys_page(batch, state=None, after_id=0, limit=KEYS_MAX)
        return keys_of(keys, batch.version.interface["answer"])


def wanted_figures(batch: Batch) -> Kept | None:
    """The figures as they were worked out last; asking for them keeps them up."""
    with one_transaction(principal="figures"):
        want_figures(batch_id=batch.pk)
    return kept_figures(batch)


def frame_of(request: ConsoleRequest, batch: Batch) -> dict[str, Any]:
    """What every page of a batch shows above its own."""
    words, tone = state_of(batch)
    return {
        "batch": batch,
        "requester": request.requester,
        "state_words": words,
        "state_tone": tone,
        "manages": request.may("manager"),
        "reviews": request.may("reviewer"),
        "running": batch.state in RUNNING,
        "answers_at": reverse("console_batch_answers", args=[batch.public_id]),
        "tasks_at": reverse("console_batch_tasks", args=[batch.public_id]),
        "reports_at": reverse("console_batch_reports", args=[batch.public_id]),
    }


def _figures(batch: Batch, kept: Kept) -> dict[str, Any]:
    look, places = kept.look, Places(batch)
    chart, table = throughput_of(look, places)
    most = sorted(look.workers, key=lambda one: -one.answers)[:WORKERS_SHOWN]
    names = _names(batch, {one.worker_id for one in most})
    return {
        "look": look,
        "throughput": chart,
        "throughput_table": table,
        "fields": fields_of(batch, look, places, external_ids(look.task_ids)),
        "hardest": hardest_of(look, places),
        "reports": reports_of(look, places),
        "workers": [(names[one.worker_id], one) for one in most],
        "workers_all": len(look.workers) + look.more_workers,
    }


def _names(batch: Batch, worker_ids: set[int]) -> dict[int, str]:
    with one_transaction(principal="names"):
        return pseudonyms(requester_id=batch.requester_id, worker_ids=worker_ids)

"""Results and data sets: made, followed, looked at, handed on, and traced back to their answers."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.api.datasets import link_address
from marketplace.batches.models import Batch
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.transactions import one_transaction
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.plain import fields_in_words
from marketplace.projects.answer_types.labels import title_of, titles_of
from marketplace.projects.models import Project
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.datasets import ask_for_dataset
from marketplace.results.commands.links import end_link, make_link
from marketplace.results.forecast import forecasts
from marketplace.results.models import Dataset, Run
from marketplace.results.queries import run_for
from marketplace.results.queries.datasets import dataset_for, datasets_in, datasets_of, links_of, tasks_in
from marketplace.results.queries.lineage import Lineage, lineage_of
from marketplace.results.states import DatasetState
from marketplace.web.batch_words import method_as, method_of
from marketplace.web.data_forms import AggregateForm, DatasetForm, LinkForm
from marketplace.web.data_words import CHECKS, STATES, format_title
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.review_words import ANSWERS, RULED_FOR
from marketplace.web.views.watch import as_file
from marketplace.web.watching import Table, counts_of, splits_of
from workers.profiles.commands import pseudonyms

SHOWN = 30
RUNS_SHOWN = 20
FILES_SHOWN = 50
ON_ITS_WAY = (DatasetState.GATHERING, DatasetState.ARRANGING, DatasetState.WRITING, DatasetState.SEALING)


@require_safe
@console_page()
def project_data(request: ConsoleRequest, project: Project) -> HttpResponse:
    """All data sets of a project, the newest first, and its batches."""
    found = datasets_in(project).order_by("-pk")
    place = place_asked(request, "data sets")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "data sets", list(found[: SHOWN + 1]), SHOWN, lambda it: it.pk)
    context = {
        "project": project,
        "sets": [row_of(it) for it in shown],
        "after": after,
        "batches": project.batches.exclude(state="draft").order_by("-pk")[:100],
    }
    return render(request, "console/data.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def batch_data(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """The results of a batch, and its data sets."""
    if request.method == "POST" and not request.may("reviewer"):
        raise PermissionDenied
    act = request.POST.get("act", "")
    runs = list(Run.objects.filter(batch=batch).order_by("-pk")[:RUNS_SHOWN])
    formats = forecasts(batch.version.interface)
    made = DatasetForm(
        request.POST if act == "make" else None, interface=batch.version.interface, runs=runs, formats=formats
    )
    put = AggregateForm(
        request.POST if act == "aggregate" else None, usual=method_of(batch), interface=batch.version.interface
    )
    if request.method == "POST":
        if act not in ("make", "aggregate"):
            raise BadRequest("there is no such act")
        form = made if act == "make" else put
        if form.is_valid():
            try:
                with once_form(request) as sent:
                    if act == "aggregate":
                        if sent.first:
                            told = put.cleaned_data
                            aggregate(batch_id=batch.pk, method=told["method"] or None, with_gold=told["with_gold"])
                        return sent.redirect("console_batch_data", batch.public_id, said=_("The results are made."))
                    number = _asked_for(request, batch, made) if sent.first else 0
                    return sent.redirect("console_dataset", batch.public_id, number)
            except DomainError as error:
                problem_on(form, error)
    found = datasets_of(batch).order_by("-pk")
    place = place_asked(request, "versions")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "versions", list(found[: SHOWN + 1]), SHOWN, lambda it: it.pk)
    chosen = made["format"].value()
    context = {
        "batch": batch,
        "sets": [row_of(it) for it in shown],
        "after": after,
        "runs": runs,
        "method": method_as(runs[0].method) if runs else "",
        "form": made,
        "put": put,
        "formats": [(one, one.name == chosen) for one in formats if one.possible],
        "others": [(one, one.name == chosen) for one in formats if not one.possible],
        "other_chosen": any(one.name == chosen for one in formats if not one.possible),
        "reviews": request.may("reviewer"),
    }
    return render(request, "console/batch_data.html", context, status=422 if made.errors or put.errors else 200)


def _asked_for(request: ConsoleRequest, batch: Batch, form: DatasetForm) -> int:
    made = ask_for_dataset(
        batch=batch,
        run_of=run_for(batch, UUID(form.cleaned_data["run"])),
        format=form.cleaned_data["format"],
        options=form.options(),
        plan=form.plan(),
        by=request.user.pk,
    )
    return made.number


def row_of(it: Dataset) -> dict[str, Any]:
    """A version in a list."""
    return {
        "it": it,
        "format_title": format_title(it.format),
        "state": STATES[it.state],
        "on_its_way": it.state in ON_ITS_WAY,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def dataset(request: ConsoleRequest, batch: Batch, number: int) -> HttpResponse:
    """One version: its progress, what the look at it found, its losses, its files, and links to hand it on."""
    if request.method == "POST" and not request.may("manager"):
        raise PermissionDenied
    try:
        it = dataset_for(request.user.pk, batch.public_id, number)
    except NotFound:
        raise Http404 from None
    form, new = LinkForm(request.POST if request.POST.get("act") == "link" else None), ""
    if request.method == "POST":
        if request.POST.get("act") == "end":
            return _ended(request, batch, it)
        if form.is_valid():
            try:
                with once_form(request) as sent:
                    token = ""
                    if sent.first:
                        life = timedelta(seconds=form.cleaned_data["life"])
                        _link, token = make_link(dataset_id=it.pk, life=life, by=request.user.pk)
                    # A repeat cannot show it again: only its digest is kept.
                    response = sent.redirect("console_dataset", batch.public_id, number)
                if not token:
                    return response
                new = link_address(request, token)
            except DomainError as error:
                problem_on(form, error)
    return render(
        request,
        "console/dataset.html",
        _dataset_context(request, batch, it, form, new),
        status=422 if form.errors else 200,
    )


@require_safe
@console_page()
def dataset_file(request: ConsoleRequest, batch: Batch, number: int) -> HttpResponse:
    """A table of the validation report as CSV, which the address names."""
    try:
        it = dataset_for(request.user.pk, batch.public_id, number)
    except NotFound:
        raise Http404 from None
    name = request.GET.get("table", "")
    if not name:
        return redirect("console_dataset", batch.public_id, number)
    tables = {table.name: table for table in _validation_tables(it)}
    return as_file(request, batch, tables.get(name))


def _validation_tables(it: Dataset) -> list[Table]:
    labels, splits = _labels_found(it)
    tables = [counts_of(f"labels-{name}", gettext_lazy("Label"), counts) for name, _title, counts in labels]
    return [*tables, *([splits_of(splits)] if splits else [])]


def _labels_found(it: Dataset) -> tuple[list[tuple[str, str, dict[str, int]]], dict[str, dict[str, int]]]:
    """How often each label is in the version, by field (name, title) and by split; labels by their titles."""
    validation = it.validation or {}
    fields = {field["name"]: field for field in it.batch.version.interface["answer"]}

    def titled(name: str | None, counts: dict[str, int]) -> dict[str, int]:
        titles = titles_of(fields[name]) if name in fields else {}
        found: dict[str, int] = {}
        for label, count in counts.items():
            title = titles.get(label, label)
            # Two labels may be called the same.
            found[f"{title} ({label})" if title in found else title] = count
        return found

    by = it.plan.get("stratify") or next((name for name, field in fields.items() if field.get("labels")), None)
    labels = [
        (name, title_of(fields[name]) if name in fields else name, titled(name, counts))
        for name, counts in (validation.get("labels") or {}).items()
    ]
    splits = {name: titled(by, counts) for name, counts in (validation.get("splits") or {}).items()}
    return labels, splits


def _dataset_context(request: ConsoleRequest, batch: Batch, it: Dataset, form: LinkForm, new: str) -> dict[str, Any]:
    tasks = tasks_in(batch.pk) if it.state in ON_ITS_WAY else 0
    validation = it.validation or {}
    labels, splits = _labels_found(it)
    return {
        "batch": batch,
        **row_of(it),
        "method": method_as(it.run.method),
        "progress": _progress(it, tasks),
        "checks": [(CHECKS.get(check["check"], check["check"]), check) for check in validation.get("checks", ())],
        "labels": [(name, title, list(counts.items())) for name, title, counts in labels],
        "splits": [(name, sum(counts.values()), list(counts.items())) for name, counts in splits.items()],
        "tables_at": reverse("console_dataset_file", args=[batch.public_id, it.number]),
        "files": it.manifest["files"]["first"][:FILES_SHOWN] if it.manifest else [],
        "files_count": it.manifest["files"]["count"] if it.manifest else 0,
        "form": form,
        "new": new,
        "links": links_of(it).order_by("-pk")[:SHOWN],
        "manages": request.may("manager"),
        "sha256": bytes(it.archive_sha256).hex() if it.archive_sha256 else "",
    }


def _progress(it: Dataset, tasks: int) -> float:
    """How far it has come, 0 … 1: gathering and writing are most of it."""
    if it.state == DatasetState.GATHERING:
        return 0.4 * min(1.0, it.items / tasks) if tasks else 0.0
    if it.state == DatasetState.WRITING:
        return 0.5 + 0.4 * min(1.0, it.items_written / it.items) if it.items else 0.5
    return {DatasetState.ARRANGING: 0.45, DatasetState.SEALING: 0.95}.get(DatasetState(it.state), 1.0)


def _ended(request: ConsoleRequest, batch: Batch, it: Dataset) -> HttpResponse:
    try:
        link = UUID(request.POST.get("link", ""))
        with once_form(request) as sent:
            if sent.first:
                end_link(dataset_id=it.pk, link=link)
            return sent.redirect("console_dataset", batch.public_id, it.number, said=_("The link leads nowhere now."))
    except (ValueError, NotFound):
        raise Http404 from None


@require_safe
@console_page()
def lineage(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Where the label of one task comes from."""
    task = request.GET.get("task", "").strip()
    context: dict[str, Any] = {"batch": batch, "task": task, "found": None}
    if task:
        try:
            run = run_for(batch, _run_asked(request))
        except NotFound:
            context["nothing"] = _("There are no results yet: aggregate first, on the page of the data.")
            return render(request, "console/lineage.html", context)
        try:
            found = lineage_of(batch, run, task)
        except NotFound:
            context["nothing"] = _("There is no such task in this batch.")
            return render(request, "console/lineage.html", context, status=404)
        context |= {"found": found, **_lineage_context(batch, found)}
    return render(request, "console/lineage.html", context)


def _lineage_context(batch: Batch, found: Lineage) -> dict[str, Any]:
    fields = batch.version.interface["answer"]
    titles = {field["name"]: title_of(field) for field in fields}
    workers = {look.worker_id for look in (*(used.look for used in found.used), *found.unused)}
    with one_transaction(principal="names"):
        names = pseudonyms(requester_id=batch.requester_id, worker_ids=workers)

    def said(values: dict[str, Any] | None) -> list[tuple[str, str]]:
        return fields_in_words(fields, values or {})

    return {
        "method": method_as(found.run.method),
        "results": [
            {
                **result,
                "by": method_as(result["method"]),
                "title": titles.get(result["field"], result["field"]),
                "said": said({result["field"]: result["value"]}),
            }
            for result in found.results
            if result["value"] is not None
        ],
        "used": [
            {
                "one": used,
                "look": used.look,
                "worker": names[used.look.worker_id],
                "state": ANSWERS[used.look.state],
                "said": said(used.look.values),
            }
            for used in found.used
        ],
        "unused": [
            {
                "look": look,
                "worker": names[look.worker_id],
                "state": ANSWERS[look.state],
                "said": said(look.values),
            }
            for look in found.unused
        ],
        "rulings": [
            {"ruling": ruling, "said": said(ruling.values), "why": RULED_FOR[ruling.reason]} for ruling in found.rulings
        ],
        "data": fields_in_words(batch.version.interface["data"], found.data),
    }


def _run_asked(request: ConsoleRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("run", ""))
    except ValueError:
        return None

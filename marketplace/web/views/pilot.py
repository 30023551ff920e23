"""What a pilot showed, and the decision that follows: go on, or change something first."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from marketplace.api.looks import note_table
from marketplace.api.pilots import report_of
from marketplace.batches.commands.lifecycle import publish_batch
from marketplace.batches.commands.pilots import copy_batch
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchKind, BatchState
from marketplace.common.cells import as_csv
from marketplace.common.errors import DomainError
from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form
from marketplace.projects.answer_types.labels import title_of, titles_of
from marketplace.projects.queries import version_of
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.queries.agreement import external_ids
from marketplace.results.queries.pilot import PilotReport
from marketplace.results.reports.figures import FieldAgreement
from marketplace.web.batch_words import state_of
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.setting_up import address_of, watched
from marketplace.web.views.watch import as_file
from marketplace.web.watching import Places, Table, error_of, figures_of, figures_table, heat_of, strength_of

CONFUSED_SHOWN = 12


class ChangeForm(forms.Form):
    """Which version the next try is under."""

    version = forms.TypedChoiceField(label=gettext_lazy("Version of the project"), coerce=int)

    def __init__(self, *args: Any, batch: Batch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        published = batch.project.versions.exclude(published_at=None).order_by("-number")
        choices = [
            (
                number,
                _("Version %(n)d, as in this pilot") % {"n": number}
                if number == batch.version.number
                else _("Version %(n)d") % {"n": number},
            )
            for number in published.values_list("number", flat=True)
        ]
        self.fields["version"].choices = choices  # type: ignore[attr-defined]


@require_safe
@console_page()
def report(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """The report as it stands now."""
    found = _report(batch)
    rest = batch.rests.filter(state=BatchState.DRAFT).first()
    gone_on = batch.rests.exclude(state=BatchState.DRAFT).exclude(state=BatchState.CANCELLED).first()
    context = {
        "batch": batch,
        "state": state_of(batch),
        "report": found,
        "fields": [_field(one, batch, found) for one in found.agreement],
        "quality": error_of(found.quality),
        "files": reverse("console_pilot_file", args=[batch.public_id]),
        "forecasts": found.forecasts,
        "rest": rest,
        "gone_on": gone_on,
        "change": ChangeForm(batch=batch),
        "gold_share": found.gold.share if found.gold.judged else None,
        "gold_bounds": found.gold.bounds,
    }
    return render(request, "console/pilot.html", context)


@require_safe
@console_page()
def confusion_csv(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """The labels that were taken for each other, as a table."""
    rows = [
        {"field": one.field, "one": pair.one, "other": pair.other, "pairs": pair.pairs, "share": round(pair.share, 6)}
        for one in _report(batch).agreement
        for pair in one.confused
    ]
    note_table(request, batch, "pilot")
    body = b"".join(as_csv(["field", "one", "other", "pairs", "share"], rows))
    name = f"pilot-{batch.public_id}-confusion.csv"
    return HttpResponse(
        body, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@require_safe
@console_page()
def file_of(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """The table of one chart as CSV, which the address names."""
    name = request.GET.get("table", "")
    if not name:
        return redirect("console_batch_pilot", batch.public_id)
    return as_file(request, batch, _tables(batch, _report(batch)).get(name))


@act_only
@console_page("manager")
def go(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Publish the rest; where all items were in the pilot, a draft for more of them."""
    _must_be_pilot(batch)
    rest = batch.rests.filter(state=BatchState.DRAFT).first()

    def act() -> tuple[str, str]:
        if rest is not None:
            publish_batch(batch_id=rest.pk)
            return watched(rest), _("The rest is published. Workers see it now.")
        made = copy_batch(batch_id=batch.pk, version=batch.version, platform=_platform(), items=False)
        return address_of(made, "items"), _("A draft with the same terms: add the items.")

    return _decide(request, batch, act)


@act_only
@console_page("manager")
def change(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Another try with all items, under the version that was chosen."""
    _must_be_pilot(batch)
    form = ChangeForm(request.POST, batch=batch)
    if not form.is_valid():
        messages.error(request, _("Choose a version that is published."))
        return redirect("console_batch_pilot", batch.public_id)

    def act() -> tuple[str, str]:
        version = version_of(batch.project, form.cleaned_data["version"])
        made = copy_batch(batch_id=batch.pk, version=version, platform=_platform(), items=True)
        return address_of(made, "check"), _("A new draft with the same items and terms. What waited is given up.")

    return _decide(request, batch, act)


@act_only
@console_page("reviewer")
def work_out(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Make results of the accepted answers now, so that their error can be told."""
    _must_be_pilot(batch)

    def act() -> tuple[str, str]:
        aggregate(batch_id=batch.pk)
        return "", _("Results are worked out from the answers accepted so far.")

    return _decide(request, batch, act)


def _decide(request: ConsoleRequest, batch: Batch, act: Any) -> HttpResponse:
    try:
        with once_form(request) as sent:
            to, said = act() if sent.first else ("", "")
            return sent.redirect(to or "console_batch_pilot", *([] if to else [batch.public_id]), said=said)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("console_batch_pilot", batch.public_id)


def _platform() -> Platform:
    return Platform(**settings.PLATFORM_TERMS)


def _must_be_pilot(batch: Batch) -> None:
    if batch.kind != BatchKind.PILOT or batch.published_at is None:
        raise Http404


def _report(batch: Batch) -> PilotReport:
    _must_be_pilot(batch)
    return report_of(batch)


def _tables(batch: Batch, report: PilotReport) -> dict[str, Table]:
    tables = [error_of(report.quality)]
    for found in report.agreement:
        shown = _field(found, batch, report)
        tables += [shown["table"], *([shown["heat"].table] if shown["heat"] else [])]
    return {table.name: table for table in tables}


def _field(found: FieldAgreement, batch: Batch, report: PilotReport) -> dict[str, Any]:
    declared = {field["name"]: field for field in batch.version.interface["answer"]}
    names = titles_of(declared[found.field])
    tasks = external_ids(task_id for one in found.confused[:CONFUSED_SHOWN] for task_id in one.task_ids)
    return {
        "title": title_of(declared[found.field]),
        "table": figures_table(found.field, figures_of(found)),
        "heat": heat_of(found.field, report.matrices.get(found.field), names, Places(batch)),
        "found": found,
        "strength": strength_of(found),
        "agreement": found.figures.get("agreement"),
        "alpha": found.figures.get("krippendorff"),
        "confused": [
            {
                "one": names.get(one.one, one.one),
                "other": names.get(one.other, one.other),
                "pairs": one.pairs,
                "share": one.share,
                "tasks": [tasks[task_id] for task_id in one.task_ids[:3] if task_id in tasks],
            }
            for one in found.confused[:CONFUSED_SHOWN]
        ],
    }

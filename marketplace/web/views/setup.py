"""A draft batch, set up step by step. Each step is saved by itself; nothing is for ever before the last."""

import json
from random import SystemRandom
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.api.gold import cost_shape
from marketplace.api.imports import WHOLE_BYTES_MAX
from marketplace.batches.commands.create import change_terms
from marketplace.batches.commands.items import take_keys
from marketplace.batches.commands.lifecycle import publish_batch
from marketplace.batches.commands.pilots import start_pilot
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch
from marketplace.batches.quality.presets import PRESETS
from marketplace.batches.queries import estimate, imports_of, sample_of, unfinished_import
from marketplace.batches.rows import ROW_BYTES_MAX
from marketplace.batches.states import BatchKind, BatchState
from marketplace.batches.zipped import ENTRIES_MAX, FILE_BYTES_MAX, UNPACKED_MAX
from marketplace.common.errors import DomainError
from marketplace.common.transactions import one_transaction
from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form
from marketplace.results.queries.forecast import calendar_of
from marketplace.web.batch_forms import AudienceForm, PilotForm, QualityForm, TermsForm
from marketplace.web.batch_words import ORDERS, method_as, method_of, state_of
from marketplace.web.choices import audience_choices
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.setting_up import (
    PILOT_FROM,
    PLAUSIBLE_S,
    STEPS,
    Missing,
    address_of,
    missing_of,
    next_step,
    refused_on,
    steps_of,
    watched,
)
from workers.assignments.audience.explanation import explain
from workers.assignments.commands.decide import cancel
from workers.assignments.hourly import hourly_for, pace_for
from workers.gold.commands.audit import note_look
from workers.gold.queries import cost_of, items_page

IMPORTS_SHOWN = 10
KEYS_SHOWN = 50
FORM = ["GET", "HEAD", "POST"]


@require_safe
@console_page()
def setup(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """To the first step that is not done; who may not change a draft, and everybody once it is none, reads it."""
    if batch.state == BatchState.DRAFT and request.may("manager"):
        missing = [one.step for one in missing_of(batch, estimate(batch)) if one.stops]
        return redirect(address_of(batch, missing[0] if missing else "check"))
    context = {"batch": batch, "state": state_of(batch), **_summary(batch)}
    return render(request, "console/setup_read.html", context)


@require_safe
@console_page("manager")
def items(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """What came in so far, and the way in for more. Files go to the API, which tells how far it is."""
    running = unfinished_import(batch.pk)
    sample = sample_of(batch)
    context = {
        "imports": imports_of(batch).order_by("-pk")[:IMPORTS_SHOWN],
        "settings": {
            "batch": str(batch.public_id),
            "interface": batch.version.interface,
            "running": str(running.public_id) if running else None,
        },
        "sample": {"interface": batch.version.interface, "data": sample} if sample is not None else None,
        "limits": {
            "files": ENTRIES_MAX,
            "file": FILE_BYTES_MAX,
            "row": ROW_BYTES_MAX,
            "unpacked": UNPACKED_MAX,
            "looked": WHOLE_BYTES_MAX,
        },
    }
    return _step(request, batch, "items", context)


@require_http_methods(FORM)
@console_page("manager")
def gold(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Known answers: those that came with the file, and those that are given here."""
    if request.method == "POST":
        return _done(request, batch, "gold", lambda: take_keys(batch_id=batch.pk, tasks=[request.POST.get("task", "")]))
    with one_transaction(principal="gold"):
        note_look(batch_id=batch.pk, user_id=request.user.pk, what="keys")
        keys = items_page(batch, gold=True, after_id=0, limit=KEYS_SHOWN)
        cost = cost_of(batch)
    context = {
        "keys": [{"task": one.task, "says": _said(one.key or {}, batch)} for one in keys],
        "keys_shown": KEYS_SHOWN,
        "gold_cost": cost_shape(cost),
        "settings": {"batch": str(batch.public_id), "interface": batch.version.interface},
    }
    return _step(request, batch, "gold", context)


@require_http_methods(FORM)
@console_page("manager")
def terms(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """What is paid and asked, with what it costs at most and what it pays an hour."""
    cost = estimate(batch)
    form = TermsForm(request.POST or None, initial=TermsForm.says(batch), fixed_order=cost.tasks > 0)
    saved = _save(request, batch, "terms", form, TermsForm.NAMES)
    if saved is not None:
        return saved
    pace = pace_for(batch)
    seconds = pace.median_s if pace else batch.expected_s
    context = {
        "form": form,
        "pace": pace,
        "seconds": seconds,
        "hourly": hourly_for(seconds, batch.price_micros) if seconds and seconds >= PLAUSIBLE_S else None,
        "hasty": bool(pace and pace.median_s < PLAUSIBLE_S),
        "settings": {"batch": str(batch.public_id), "measured": pace.median_s if pace else None},
    }
    return _step(request, batch, "terms", context, form)


@require_http_methods(FORM)
@console_page("manager")
def audience(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """For whom the batch is, with how many there are."""
    form = AudienceForm(request.POST or None, initial={"audience": batch.audience})
    saved = _save(request, batch, "audience", form, {})
    if saved is not None:
        return saved
    context = {
        "form": form,
        "explained": explain(batch.audience, project_id=batch.project_id),
        "settings": {
            "project": str(batch.project.public_id),
            "problems": form.problems,
            **audience_choices(batch),
        },
    }
    return _step(request, batch, "audience", context, form)


@require_http_methods(FORM)
@console_page("manager")
def quality(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Rules, the share of gold, and how results are made."""
    form = QualityForm(request.POST or None, initial=QualityForm.says(batch), interface=batch.version.interface)
    saved = _save(request, batch, "quality", form, QualityForm.NAMES)
    if saved is not None:
        return saved
    context = {
        "form": form,
        "settings": {"project": str(batch.project.public_id), "presets": {n: {"rules": r} for n, r in PRESETS.items()}},
    }
    return _step(request, batch, "quality", context, form)


@require_http_methods(FORM)
@console_page("manager")
def check(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """All of it on one page; published from here."""
    if request.method == "POST":
        return _done(
            request,
            batch,
            "check",
            lambda: publish_batch(batch_id=batch.pk),
            to=_after(batch),
            said=_("It is published. Workers see it now."),
        )
    return _check(request, batch)


@act_only
@console_page("manager")
def pilot(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Publish some items first."""
    form = _pilot_form(batch, request.POST)
    if form.is_valid():
        try:
            with once_form(request) as sent:
                if not sent.first:
                    return sent.redirect("console_batch_setup", batch.public_id)
                made = start_pilot(batch_id=batch.pk, items=form.cleaned_data["items"], chance=SystemRandom())
                return sent.redirect(
                    "console_batch_pilot", made.public_id, said=_("The pilot is published. Its report grows here.")
                )
        except DomainError as error:
            refused_on(form, error, {})
    return _check(request, batch, form)


@act_only
@console_page("manager")
def discard(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Give a draft up."""
    if batch.state != BatchState.DRAFT:
        return redirect("console_batch_setup", batch.public_id)
    return _done(
        request,
        batch,
        "check",
        lambda: cancel(batch_id=batch.pk),
        to=resolve_url("console_batches", batch.requester.public_id),
        said=_("The draft is given up."),
    )


def _pilot_form(batch: Batch, data: QueryDict | None = None) -> PilotForm:
    cost = estimate(batch)
    return PilotForm(data, ordinary=cost.tasks - cost.gold_tasks)


def _check(request: ConsoleRequest, batch: Batch, form: PilotForm | None = None) -> HttpResponse:
    form = form or _pilot_form(batch)
    cost, ordinary = estimate(batch), form.ordinary
    explained = explain(batch.audience, project_id=batch.project_id)
    context = {
        **_summary(batch),
        "explained": explained,
        "few": explained.qualify is None,
        "pilot": form,
        # What was refused is said at its field.
        "may_pilot": form.is_bound or (ordinary >= PILOT_FROM and batch.pilot_id is None),
        "pilot_first": batch.kind == BatchKind.PILOT,
        "ordinary": ordinary,
        "sample": _sample(batch),
        "calendar": calendar_of(batch, cost.places),
    }
    return _step(request, batch, "check", context, form)


def _summary(batch: Batch) -> dict[str, Any]:
    """What a batch promises and costs, in words."""
    cost = estimate(batch)
    pace = pace_for(batch)
    seconds = pace.median_s if pace else batch.expected_s
    with one_transaction(principal="gold"):
        gold_cost = cost_of(batch)
    return {
        "cost": cost,
        "pace": pace,
        "seconds": seconds,
        "hourly": hourly_for(seconds, batch.price_micros) if seconds and seconds >= PLAUSIBLE_S else None,
        "hasty": bool(pace and pace.median_s < PLAUSIBLE_S),
        "work_s": cost.places * seconds if seconds else None,
        "gold_cost": gold_cost,
        "order": dict(ORDERS)[batch.order],
        "method": method_as(method_of(batch)),
        "preset": batch.quality.get("preset", ""),
        "own_rules": len(batch.quality.get("rules", ())),
        "topup_percent": batch.topup_basis_points // 100,
        "gold_low": batch.gold_policy["min_share"],
        "gold_high": batch.gold_policy["max_share"],
        "audience_text": json.dumps(batch.audience, ensure_ascii=False) if batch.audience else "",
    }


def _after(batch: Batch) -> str:
    """Where one looks once the batch is published: of a pilot at its report."""
    if batch.kind == BatchKind.PILOT:
        return resolve_url("console_batch_pilot", batch.public_id)
    return watched(batch)


def _said(key: dict[str, Any], batch: Batch) -> str:
    """A known answer in short."""
    titles = {field["name"]: field["title"] for field in batch.version.interface["answer"]}
    return ", ".join(
        f"{titles.get(name, name)}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in key.items()
    )


def _sample(batch: Batch) -> dict[str, Any] | None:
    data = sample_of(batch)
    return None if data is None else {"interface": batch.version.interface, "data": data}


def _step(
    request: ConsoleRequest, batch: Batch, here: str, context: dict[str, Any], form: Form | None = None
) -> HttpResponse:
    """The page of a step of a draft; of what is no draft any more there is one page to read."""
    if batch.state != BatchState.DRAFT:
        return redirect("console_batch_setup", batch.public_id)
    cost = estimate(batch)
    missing: list[Missing] = missing_of(batch, cost)
    context = {
        "batch": batch,
        "here": here,
        "steps": steps_of(batch, here, missing),
        "missing": [(one, address_of(batch, one.step)) for one in missing],
        "stopped": any(one.stops for one in missing) or cost.missing_micros > 0,
        "cost": cost,
        "next": address_of(batch, next_step(here)),
        **context,
    }
    return render(request, f"console/setup_{here}.html", context, status=422 if form and form.errors else 200)


def _save(request: ConsoleRequest, batch: Batch, here: str, form: Any, names: dict[str, str]) -> HttpResponse | None:
    """Save what the form says and go on: to the step that was chosen, or the next. None: the page is shown."""
    if request.method != "POST" or not form.is_valid():
        return None
    to = request.POST.get("go", "")
    to = to if to in dict(STEPS) else next_step(here)
    try:
        with once_form(request) as sent:
            if sent.first:
                change_terms(batch_id=batch.pk, platform=Platform(**settings.PLATFORM_TERMS), **form.changes())
            return sent.redirect(address_of(batch, to))
    except DomainError as error:
        refused_on(form, error, names)
        return None


def _done(request: ConsoleRequest, batch: Batch, here: str, act: Any, *, to: str = "", said: str = "") -> HttpResponse:
    """Do what a button of a step says, once; a refusal is told on the step's page."""
    try:
        with once_form(request) as sent:
            if sent.first:
                act()
            return sent.redirect(to or address_of(batch, here), said=said)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(address_of(batch, here))

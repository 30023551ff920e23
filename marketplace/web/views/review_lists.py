"""Many answers at once, tasks that were given up, and appeals."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from marketplace.batches.models import Batch
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.transactions import one_transaction
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.plain import answer_in_short
from marketplace.results.commands.rejections import give_back, reject
from marketplace.results.queries import room_in
from marketplace.results.queries.review import reviews_of
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.review_forms import NO_FORM, StatementForm, WhyForm, answers_named, managed, refused, why_of
from marketplace.web.review_words import (
    GIVEN_UP,
    REJECTED_FOR,
    REVIEWS,
    Text,
    rejected_in_words,
)
from marketplace.web.reviewing import tabs_of
from workers.appeals.commands.open import add_statement
from workers.appeals.due import settle_late
from workers.appeals.queries import appeals_against
from workers.appeals.states import Kind
from workers.assignments.commands.decide import DECISIONS_MAX, accept_answers, apply_due
from workers.assignments.commands.quarantine import release_tasks
from workers.assignments.queries import Sought, answers_page, quarantine_page
from workers.profiles.commands import pseudonyms
from workers.profiles.queries import workers_by_pseudonym

SHOWN = 50
# Acts that ask why.
SHEETS = ("reject", "repair")


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("reviewer")
def answers(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """All answers that wait for a decision, to decide many at once."""
    if request.method == "POST":
        return _decide_many(request, batch)
    return _answers(request, batch, WhyForm())


def _answers(
    request: ConsoleRequest, batch: Batch, form: WhyForm, *, opened: str = "", refusal: str = "", ticked: Any = ()
) -> HttpResponse:
    with one_transaction(principal="due"):
        apply_due(batch_id=batch.pk)
    worker = request.GET.get("worker", "").strip()
    known = workers_by_pseudonym(batch.requester_id, [worker]) if worker else {}
    found: list[dict[str, Any]] = []
    if not worker or known:
        sought = Sought(state="submitted", worker_id=known.get(worker))
        place = place_asked(request, "waiting answers") or 0
        found = answers_page(batch.pk, sought, after_id=place, limit=SHOWN + 1)
    rows, after = page_after(request, "waiting answers", found, SHOWN, lambda row: row["cursor"])
    with one_transaction(principal="names"):
        names = pseudonyms(requester_id=batch.requester_id, worker_ids={row["worker_id"] for row in rows})
    declared = batch.version.interface["answer"]
    for row in rows:
        row |= {"worker": names[row["worker_id"]], "says": answer_in_short(declared, row["values"] or {})}
        row["ticked"] = str(row["id"]) in ticked
    context = {
        "batch": batch,
        "rows": rows,
        "after": after,
        "worker": worker,
        "form": form,
        "opened": opened,
        "refusal": refusal,
        "room": room_in(batch.pk),
        "tabs": tabs_of(batch, {}),
        "most": DECISIONS_MAX,
        "reviews": [
            {"review": one, "state": REVIEWS[one.state], "why": REJECTED_FOR[one.reason]}
            for one in reviews_of(batch).order_by("-pk")[:20]
        ],
    }
    return render(request, "console/review_answers.html", context, status=422 if form.errors or refusal else 200)


def _decide_many(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    act, given = request.POST.get("act", ""), request.POST.getlist("answer")
    if act not in ("accept", "accept_all", "reject", "repair"):
        raise BadRequest("there is no such act")
    form = WhyForm(request.POST) if act in SHEETS else WhyForm()
    named = answers_named(given)
    if act != "accept_all" and not named:
        return _answers(request, batch, form, refusal=_("Tick the answers first."))
    if form.is_bound and not form.is_valid():
        return _answers(request, batch, form, opened=act, ticked=given)
    try:
        with once_form(request) as sent:
            said = _many(act, batch, named or [], form, request) if sent.first else ""
            place = reverse("console_review_answers", args=[batch.public_id])
            worker = request.GET.get("worker", "")
            return sent.redirect(f"{place}?{urlencode({'worker': worker})}" if worker else place, said=said)
    except DomainError as error:
        if not form.is_bound:
            return _answers(request, batch, form, refusal=error.detail, ticked=given)
        problem_on(form, error)
        return _answers(request, batch, form, opened=act, ticked=given)


def _many(act: str, batch: Batch, named: list[UUID], form: WhyForm, request: ConsoleRequest) -> Text:
    if act == "reject":
        return rejected_in_words(reject(batch_id=batch.pk, assignments=named, why=why_of(request, form)))
    if act == "repair":
        given = give_back(batch_id=batch.pk, assignments=named, why=why_of(request, form))
        return ngettext(
            "%(n)d answer is back with its worker.", "%(n)d answers are back with their workers.", given
        ) % {"n": given}
    accepted = accept_answers(batch_id=batch.pk, assignments=None if act == "accept_all" else named)
    if act == "accept_all" and accepted == DECISIONS_MAX:
        return _("%(n)d answers accepted; there may be more.") % {"n": accepted}
    return ngettext("%(n)d answer accepted.", "%(n)d answers accepted.", accepted) % {"n": accepted}


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("reviewer")
def given_up(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Tasks in quarantine: why workers gave them up, and back to work with those that are in order."""
    form = NO_FORM()
    if request.method == "POST":
        form = managed(request)
        tasks = request.POST.getlist("task")[:DECISIONS_MAX]
        if not tasks and not form.is_bound:
            form = refused(_("Tick the tasks first."))
        if not form.is_bound:
            try:
                with once_form(request) as sent:
                    done = release_tasks(batch_id=batch.pk, tasks=tasks) if sent.first else 0
                    words = ngettext("%(n)d task is back at work.", "%(n)d tasks are back at work.", done) % {"n": done}
                    return sent.redirect("console_review_given_up", batch.public_id, said=words)
            except DomainError as error:
                form = refused(error.detail)
    found = quarantine_page(batch.pk, after_id=place_asked(request, "given up") or 0, limit=SHOWN + 1)
    rows, after = page_after(request, "given up", found, SHOWN, lambda row: row["cursor"])
    with one_transaction(principal="names"):
        wanted = {worker for row in rows for _reason, worker, _words in row["comments"]}
        names = pseudonyms(requester_id=batch.requester_id, worker_ids=wanted)
    for row in rows:
        row["why"] = [(GIVEN_UP.get(reason, reason), row["reasons"][reason]) for reason in sorted(row["reasons"])]
        row["said"] = [
            (names[worker], GIVEN_UP.get(reason, reason), words) for reason, worker, words in row["comments"]
        ]
    context = {
        "batch": batch,
        "rows": rows,
        "after": after,
        "form": form,
        "manages": request.may("manager"),
        "tabs": tabs_of(batch, {}),
    }
    return render(request, "console/review_given_up.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("reviewer")
def appeals(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Appeals against rejections in the batch, and what the organisation says to them."""
    form = StatementForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            with once_form(request) as sent:
                if sent.first:
                    add_statement(
                        appeal=told["appeal"],
                        requester_id=batch.requester_id,
                        by=request.user.pk,
                        words=told["words"],
                    )
                return sent.redirect("console_review_appeals", batch.public_id, said=_("It is with the appeal now."))
        except NotFound:
            raise Http404 from None
        except DomainError as error:
            problem_on(form, error)
    settle_late()
    found = appeals_against(batch.requester_id).filter(rejection__batch=batch).order_by("-pk")
    place = place_asked(request, "batch appeals")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "batch appeals", list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
    with one_transaction(principal="names"):
        names = pseudonyms(requester_id=batch.requester_id, worker_ids={one.worker_id for one in shown})
    context = {
        "batch": batch,
        "after": after,
        "form": form,
        "answered": str(form.data.get("appeal", "")) if form.errors else "",
        "appeals": [
            {
                "appeal": one,
                "worker": names[one.worker_id],
                "why": REJECTED_FOR[one.rejection.reason] if one.rejection else "",
                "steps": [
                    step for step in sorted(one.steps.all(), key=lambda step: step.pk) if step.kind != Kind.OPENED
                ],
            }
            for one in shown
        ],
        "tabs": tabs_of(batch, {}),
    }
    return render(request, "console/review_appeals.html", context, status=422 if form.errors else 200)

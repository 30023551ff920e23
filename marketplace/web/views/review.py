"""A queue of tasks to look at, one at a time, by the keyboard."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.batches.models import Batch
from marketplace.common.errors import DomainError, NotFound
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import place_asked, sealed_place
from marketplace.results.commands.adjudication import Grounds, adjudicate
from marketplace.results.commands.rejections import give_back, reject
from marketplace.results.reports.sampling import SHARE
from marketplace.results.states import Queue, RulingReason
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.review_forms import (
    CHOOSE_FIRST,
    NO_FORM,
    RulingForm,
    WhyForm,
    answers_named,
    managed,
    refused,
    why_of,
)
from marketplace.web.review_words import ABOUT, EMPTY, KEY_STATES, Text, rejected_in_words
from marketplace.web.reviewing import (
    Desk,
    cards_of,
    chosen_first,
    desk_of,
    drawn_of,
    proof_now,
    rulings_in_words,
    tabs_of,
)
from marketplace.web.views.watch import as_file
from marketplace.web.watching import proof_table
from workers.assignments.commands.decide import accept_answers
from workers.gold.commands.audit import confirm_key, retire_key

SHARES = (0.1, 0.05, 0.02, 0.01)
# Acts that settle nothing of the label: the task stays before the reviewer's eyes.
STAYS = ("accept", "reject", "repair")
# Acts with a form of their own.
SHEETS = ("settle", "own", "reject", "repair")


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("reviewer")
def queue(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """One task at a time, its answers side by side."""
    named = request.GET.get("queue", "")
    asked = Queue(named) if named in Queue.values else None
    if request.method == "POST":
        return _act(request, batch, asked or Queue.DISAGREEMENTS)
    return _desk(request, batch, asked, {})


def _desk(
    request: ConsoleRequest, batch: Batch, asked: Queue | None, bound: dict[str, forms.Form], opened: str = ""
) -> HttpResponse:
    """The page; `bound` are forms that were refused, and `opened` names the sheet of the one."""
    try:
        desk = desk_of(
            batch,
            user_id=request.user.pk,
            queue=asked,
            after=place_asked(request, f"review {asked}") or 0 if asked else 0,
            task=request.GET.get("task") or request.POST.get("task") or None,
            share=_share(request),
        )
    except NotFound:
        raise Http404 from None
    context = {
        "batch": batch,
        "desk": desk,
        "about": ABOUT[desk.queue],
        "nothing": EMPTY[desk.queue],
        "begun": "after" in request.GET or "task" in request.GET,
        "tabs": tabs_of(batch, desk.counts),
        "shares": SHARES,
        "opened": opened,
        "forms": {
            "settle": bound.get("settle") or RulingForm(auto_id="settle_%s"),
            "own": bound.get("own") or RulingForm(auto_id="own_%s"),
            "reject": bound.get("reject") or WhyForm(auto_id="reject_%s"),
            "repair": bound.get("repair") or WhyForm(auto_id="repair_%s"),
            "other": bound.get("other") or NO_FORM(),
        },
        "manages": request.may("manager"),
        "proof_table": proof_table(desk.proof),
        "proof_file": reverse("console_review_proof", args=[batch.public_id]),
        "proof_and": f"?share={desk.proof.share}&",
        **_task_context(request, batch, desk),
    }
    if "own" in bound and "drawn" in context:
        # What was typed is kept.
        context["drawn"]["own"] = bound["own"].cleaned_data.get("values")
    return render(request, "console/review.html", context, status=422 if bound else 200)


@require_safe
@console_page("reviewer")
def proof_file(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """What the sample proves, as CSV."""
    return as_file(request, batch, proof_table(proof_now(batch, share=_share(request))))


def _task_context(request: ConsoleRequest, batch: Batch, desk: Desk) -> dict[str, Any]:
    if desk.shown is None:
        return {}
    item, key = desk.shown.item, desk.shown.key
    query = {"queue": desk.queue.value}
    if desk.shown.place is not None:
        query["after"] = sealed_place(f"review {desk.queue}", desk.shown.place)
    return {
        "item": item,
        "cards": cards_of(batch, desk.shown),
        "drawn": drawn_of(batch, desk.shown),
        "chosen": request.POST.get("answer") or chosen_first(desk.queue, item),
        "together_shown": item.standing if item.standing and item.standing.value else None,
        "rulings": rulings_in_words(batch, item.rulings),
        "key": key,
        "key_says": KEY_STATES.get(key.state, "") if key else "",
        "key_open": bool(key and key.state in KEY_STATES),
        "next": f"?{urlencode(query)}",
        "here": _here(request, desk.queue, item.task),
        "instructions": batch.version.instructions,
    }


def _here(request: ConsoleRequest, queue: Queue, task: str | None = None) -> str:
    """The address of this place in the queue, with the task where it is to stay."""
    kept = {"queue": queue.value, "after": request.GET.get("after"), "task": task}
    return "?" + urlencode({name: text for name, text in kept.items() if text})


def _act(request: ConsoleRequest, batch: Batch, queue: Queue) -> HttpResponse:
    act, task = request.POST.get("act", ""), request.POST.get("task", "")
    if act not in ACTS:
        raise BadRequest("there is no such act")
    form, do = ACTS[act](request, batch, queue, task)
    if form.is_bound and not form.is_valid():
        return _desk(request, batch, queue, {act if act in SHEETS else "other": form}, act)
    try:
        with once_form(request) as sent:
            said = do() if sent.first else ""
            place = _here(request, queue, task if act in STAYS and queue != Queue.ESCALATIONS else None)
            return sent.redirect(reverse("console_review", args=[batch.public_id]) + place, said=said)
    except DomainError as error:
        if form.is_bound:
            problem_on(form, error)
        else:
            form = refused(error.detail)
        return _desk(request, batch, queue, {act if act in SHEETS else "other": form}, act)


Done = tuple[forms.Form, Callable[[], Text]]


def _settle(request: ConsoleRequest, batch: Batch, queue: Queue, task: str) -> Done:
    form = RulingForm(request.POST, auto_id=f"{request.POST['act']}_%s")

    def do() -> Text:
        told = form.cleaned_data
        made = adjudicate(
            batch_id=batch.pk,
            task=task,
            grounds=Grounds(RulingReason(told["reason"]), told["words"], request.user.pk),
            answer=told["answer"],
            values=None if told["answer"] else told["values"],
            sampled=queue == Queue.SAMPLE,
        )
        if made.sampled:
            return (
                _("Noted: its label was right.") if made.agrees else _("Noted: its label was wrong, and is put right.")
            )
        return _("Settled. Results have it from the next aggregation on.")

    return form, do


def _accept(request: ConsoleRequest, batch: Batch, queue: Queue, task: str) -> Done:
    named = answers_named(request.POST.getlist("answer"))

    def do() -> Text:
        accepted = accept_answers(batch_id=batch.pk, assignments=named or [])
        return ngettext("%(n)d answer accepted.", "%(n)d answers accepted.", accepted) % {"n": accepted}

    return (NO_FORM() if named else refused(CHOOSE_FIRST)), do


def _reject(request: ConsoleRequest, batch: Batch, queue: Queue, task: str) -> Done:
    form, named = WhyForm(request.POST, auto_id="reject_%s"), answers_named(request.POST.getlist("answer"))
    if not named:
        form.is_valid()
        form.add_error(None, CHOOSE_FIRST)

    def do() -> Text:
        return rejected_in_words(reject(batch_id=batch.pk, assignments=named or [], why=why_of(request, form)))

    return form, do


def _repair(request: ConsoleRequest, batch: Batch, queue: Queue, task: str) -> Done:
    form, named = WhyForm(request.POST, auto_id="repair_%s"), answers_named(request.POST.getlist("answer"))
    if not named:
        form.is_valid()
        form.add_error(None, CHOOSE_FIRST)

    def do() -> Text:
        given = give_back(batch_id=batch.pk, assignments=named or [], why=why_of(request, form))
        return ngettext(
            "%(n)d answer is back with its worker.", "%(n)d answers are back with their workers.", given
        ) % {"n": given}

    return form, do


def _confirm(request: ConsoleRequest, batch: Batch, queue: Queue, task: str) -> Done:
    def do() -> Text:
        confirm_key(batch_id=batch.pk, tasks=[task])
        return _("The key is in use.")

    return managed(request), do


def _retire(request: ConsoleRequest, batch: Batch, queue: Queue, task: str) -> Done:
    def do() -> Text:
        retire_key(batch_id=batch.pk, tasks=[task])
        return _("The key is given up; what was judged by it counts no more.")

    return managed(request), do


ACTS: dict[str, Callable[[ConsoleRequest, Batch, Queue, str], Done]] = {
    "settle": _settle,
    "own": _settle,
    "accept": _accept,
    "reject": _reject,
    "repair": _repair,
    "confirm": _confirm,
    "retire": _retire,
}


def _share(request: ConsoleRequest) -> float:
    asked = request.GET.get("share", "")
    return next((share for share in SHARES if str(share) == asked), SHARE)

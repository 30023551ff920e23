"""Rejections, repairs and appeals: why, until when, and what to do about it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.batches.queries import with_requesters
from marketplace.common.errors import DomainError, NotFound
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.plain import fields_in_words
from workers.api.appeals import WORDS_MAX
from workers.api.sanctions import own_sanction_shape, own_sanctions
from workers.appeals.commands.open import contest_answer, contest_sanction
from workers.appeals.due import settle_late
from workers.appeals.models import Appeal
from workers.appeals.queries import appeals_of
from workers.appeals.states import Kind
from workers.assignments.history import asked_in, instructions_of, own_answer, rejected_answers, wanted_repairs
from workers.web.outcomes import APPEALS, MEASURES, REASONS, SANCTIONED_FOR, STEPS, what_next, where_of
from workers.web.people import WorkerRequest, worker_page
from workers.web.views.answers import row_of

SHOWN = 20


class AppealForm(forms.Form):
    """Why it is not right."""

    words = forms.CharField(
        label=gettext_lazy("Why is it not right?"),
        max_length=WORDS_MAX,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy(
            "Whoever judges reads this: say what you saw and why you answered so. You can contest it once."
        ),
    )


@require_safe
@worker_page
def rejections(request: WorkerRequest) -> HttpResponse:
    """Repairs that are wanted, and every rejection with its reason."""
    settle_late()
    found = rejected_answers(request.worker_id, limit=SHOWN + 1, before=place_asked(request, "rejections"))
    answers, after = page_after(request, "rejections", found, SHOWN, lambda answer: answer.cursor)
    ids = [answer.id for answer in answers]
    cited = instructions_of(request.worker_id, ids)
    repairs = wanted_repairs(request.worker_id)
    asked = asked_in(request.worker_id, [*ids, *(answer.id for answer in repairs)])
    fought = {
        appeal.rejection.assignment.public_id: appeal
        for appeal in appeals_of(request.worker_id).filter(rejection__assignment__public_id__in=ids)
        if appeal.rejection
    }
    context = {
        "repairs": [row_of(answer, asked[answer.asked_by]) for answer in repairs],
        "rows": [
            {
                **row_of(answer, asked[answer.asked_by]),
                "cited": cited.get(answer.id, ""),
                "appeal": _words_of(fought.get(answer.id)),
            }
            for answer in answers
        ],
        "after": after,
    }
    return render(request, "work/rejections.html", context)


@require_safe
@worker_page
def appeals(request: WorkerRequest) -> HttpResponse:
    """Everything that was contested, and where it stands."""
    settle_late()
    found = appeals_of(request.worker_id).order_by("-pk")
    place = place_asked(request, "appeals")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "appeals", list(found[: SHOWN + 1]), SHOWN, lambda appeal: appeal.pk)
    return render(request, "work/appeals.html", {"appeals": [_appeal(one) for one in shown], "after": after})


@worker_page
@require_http_methods(["GET", "HEAD", "POST"])
def contest_rejection(request: WorkerRequest, answer: UUID) -> HttpResponse:
    """Contest a rejection, with the answer and what it cites before one's eyes."""
    try:
        whole = own_answer(request.worker_id, answer)
    except NotFound:
        raise Http404 from None
    if whole.answer.rejected is None:
        raise Http404
    context = {
        **row_of(whole.answer, whole.interface["answer"]),
        "whole": whole,
        "data": fields_in_words(whole.interface["data"], whole.data),
        "values": fields_in_words(whole.interface["answer"], whole.answer.values, whole.data),
    }
    return _contest(
        request,
        context,
        lambda words: contest_answer(worker_id=request.worker_id, assignment=answer, words=words),
        lambda: own_answer(request.worker_id, answer).answer.appealable,
    )


@worker_page
@require_http_methods(["GET", "HEAD", "POST"])
def contest_limit(request: WorkerRequest, sanction: UUID) -> HttpResponse:
    """Contest a limit."""
    row: Any = with_requesters(own_sanctions(request.worker_id)).filter(public_id=sanction).first()
    if row is None:
        raise Http404
    context = {
        "limit": own_sanction_shape(row),
        "what": MEASURES[row.measure],
        "where": where_of(row.scope, row.requester_name),
        "why": SANCTIONED_FOR[row.reason],
    }

    def open_to() -> bool:
        now = own_sanction_shape(own_sanctions(request.worker_id).get(public_id=sanction))
        return now["can_be_appealed"] and not Appeal.objects.filter(sanction__public_id=sanction).exists()

    return _contest(
        request,
        context,
        lambda words: contest_sanction(worker_id=request.worker_id, sanction=sanction, words=words),
        open_to,
    )


def _contest(
    request: WorkerRequest, context: dict[str, Any], do: Callable[[str], Any], open_to: Callable[[], bool]
) -> HttpResponse:
    form = AppealForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                if sent.first:
                    do(form.cleaned_data["words"])
                return sent.redirect("work_appeals", said=_("Contested. You will read here how it goes on."))
        except DomainError as error:
            problem_on(form, error)
    # What was refused may be contested in another window by now.
    context |= {"form": form, "open_to": open_to()}
    return render(request, "work/contest.html", context, status=422 if form.errors else 200)


def _words_of(appeal: Appeal | None) -> tuple[Any, str] | None:
    return None if appeal is None else APPEALS[appeal.state]


def _appeal(appeal: Appeal) -> dict[str, Any]:
    state, tone = APPEALS[appeal.state]
    steps = sorted(appeal.steps.all(), key=lambda step: step.pk)
    rejection, sanction = appeal.rejection, appeal.sanction
    return {
        "appeal": appeal,
        "state": state,
        "tone": tone,
        "next": what_next(appeal),
        "steps": [(STEPS[step.kind], "" if step.kind == Kind.OPENED else step.reason, step.made_at) for step in steps],
        "batch": rejection.batch.name if rejection else "",
        "answer": rejection.assignment.public_id if rejection else None,
        "reason": REASONS[rejection.reason] if rejection else "",
        "comment": rejection.comment if rejection else "",
        "limit": MEASURES[sanction.measure] if sanction else "",
    }

"""The history of the worker's answers, each with its outcome."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.common.errors import NotFound
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.plain import answer_in_short, fields_in_words
from workers.appeals.queries import appeals_of
from workers.assignments.history import Asked, Outcome, OwnAnswer, asked_in, batches_answered, own_answer, own_answers
from workers.web.outcomes import APPEALS, OUTCOMES, REASONS
from workers.web.people import WorkerRequest, worker_page

SHOWN = 30
BATCHES_SHOWN = 100


@require_safe
@worker_page
def history(request: WorkerRequest) -> HttpResponse:
    """All of them, or those of a batch or with an outcome."""
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in Outcome.values else ""
    batch = _batch(request)
    found = own_answers(
        request.worker_id,
        limit=SHOWN + 1,
        before=place_asked(request, "answers"),
        batch=batch,
        outcome=outcome or None,
    )
    answers, after = page_after(request, "answers", found, SHOWN, lambda answer: answer.cursor)
    asked = asked_in(request.worker_id, [answer.id for answer in answers])
    context = {
        "rows": [row_of(answer, asked[answer.asked_by]) for answer in answers],
        "after": after,
        "outcome": outcome,
        "outcomes": [(value, OUTCOMES[value][0]) for value in Outcome.values],
        "batch": str(batch or ""),
        "batches": [(str(one.id), one) for one in batches_answered(request.worker_id, limit=BATCHES_SHOWN)],
        "first": "after" not in request.GET,
    }
    return render(request, "work/answers.html", context)


@require_safe
@worker_page
def one(request: WorkerRequest, answer: UUID) -> HttpResponse:
    """One answer with its task, as it was shown."""
    try:
        whole = own_answer(request.worker_id, answer)
    except NotFound:
        raise Http404 from None
    appeal = appeals_of(request.worker_id).filter(rejection__assignment__public_id=answer).first()
    context = {
        **row_of(whole.answer, whole.interface["answer"]),
        "whole": whole,
        "data": fields_in_words(whole.interface["data"], whole.data),
        "values": fields_in_words(whole.interface["answer"], whole.answer.values, whole.data),
        "task": {"interface": whole.interface, "data": whole.data, "values": whole.answer.values},
        "appeal": appeal,
        "appeal_words": APPEALS[appeal.state] if appeal else None,
    }
    return render(request, "work/answer.html", context)


def row_of(answer: OwnAnswer, asked: Asked) -> dict[str, Any]:
    """An answer with its words: the same for every one, whatever its task was for."""
    words, tone, means = OUTCOMES[answer.outcome]
    return {
        "answer": answer,
        "words": words,
        "tone": tone,
        "means": means,
        "says": answer_in_short(asked, answer.values),
        "reason": REASONS.get(answer.rejected.reason, "") if answer.rejected else "",
        "return_reason": REASONS.get(answer.returned.reason, "") if answer.returned else "",
    }


def _batch(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("batch", ""))
    except ValueError:
        return None

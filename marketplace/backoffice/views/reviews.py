"""Rejections that take effect only after a look by somebody who is not of the organisation (R42)."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.backoffice.acting import carried_out, status_of
from marketplace.backoffice.forms import ReviewForm
from marketplace.backoffice.people import JUDGES, StaffRequest, staff_page
from marketplace.common.transactions import one_transaction
from marketplace.pages.plain import answer_in_short
from marketplace.results.commands.rejections import approve_review, lapse_reviews, refuse_review
from marketplace.results.queries import part_in_review, review_of, reviewed_answers, reviews_in
from marketplace.results.states import ReviewState

SHOWN = 100


@require_safe
@staff_page(*JUDGES)
def reviews(request: StaffRequest) -> HttpResponse:
    """Those that wait, or those in another state."""
    state = request.GET.get("state", ReviewState.OPEN)
    state = state if state in ReviewState.values else ReviewState.OPEN
    with one_transaction(principal="due"):
        lapse_reviews()
    found = reviews_in(state).order_by("-pk")[:SHOWN]
    return render(request, "staff/reviews.html", {"reviews": found, "state": state, "states": ReviewState.choices})


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*JUDGES)
def review(request: StaffRequest, review: UUID) -> HttpResponse:
    """One of them: the figures that made it wait, and some of the answers, with nothing about who gave them."""
    found = review_of(review)
    form = ReviewForm(request.POST or None)

    def decide() -> None:
        command = approve_review if form.cleaned_data["decision"] == "approve" else refuse_review
        command(review=review, by=request.user.pk, reason=form.cleaned_data["reason"])

    done = carried_out(request, form, decide, to="staff_review", args=[review], said=_("Decided."))
    if done:
        return done
    asked = found.batch.version.interface["answer"]
    sample = [(answer, answer_in_short(asked, answer.values)) for answer in reviewed_answers(found)]
    own = found.state == ReviewState.OPEN and part_in_review(found, request.user.pk) is not None
    context = {"review": found, "sample": sample, "form": form, "own": own}
    return render(request, "staff/review.html", context, status=status_of(form))

"""Appeals: what was contested, the evidence, and the decision."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.errors import NoSuchAccount
from marketplace.accounts.queries import account_at
from marketplace.api.appeals import note_adjudicator, staff_appeal_shape
from marketplace.api.looks import note_look
from marketplace.backoffice.acting import asked, carried_out, status_of
from marketplace.backoffice.forms import MEASURES, REASONS, AdjudicatorForm, DecideForm
from marketplace.backoffice.people import JUDGES, StaffRequest, staff_page
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.plain import fields_in_words
from workers.appeals.commands.decide import decide_appeal
from workers.appeals.commands.open import name_adjudicator
from workers.appeals.due import settle_late
from workers.appeals.queries import appeal_of, appeals_with_all, impartial
from workers.appeals.states import State

SHOWN = 50


@require_safe
@staff_page(*JUDGES)
def appeals(request: StaffRequest) -> HttpResponse:
    """Those that wait, the most urgent first; or those in another state, the newest first."""
    state = request.GET.get("state", State.OPEN)
    state = state if state in State.values else State.OPEN
    settle_late()
    note_look(request, "appeals", state)
    found = appeals_with_all().filter(state=state)
    if state == State.OPEN:
        context = {"appeals": found.order_by("decide_by", "pk")[: 2 * SHOWN], "after": ""}
    else:
        place = place_asked(request, "appeals")
        found = found if place is None else found.filter(pk__lt=place)
        rows, after = page_after(
            request, "appeals", list(found.order_by("-pk")[: SHOWN + 1]), SHOWN, lambda one: one.pk
        )
        context = {"appeals": rows, "after": after}
    return render(request, "staff/appeals.html", {**context, "state": state, "states": State.choices})


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*JUDGES)
def appeal(request: StaffRequest, appeal: UUID) -> HttpResponse:
    """One appeal with its evidence: what the worker says, what was held against him, and every step so far."""
    settle_late()
    found = appeal_of(appeal)
    form = asked(DecideForm, request, "decide")
    other = asked(AdjudicatorForm, request, "adjudicator")

    def decide() -> None:
        said = form.cleaned_data
        uphold = said["decision"] == "uphold"
        decide_appeal(appeal=appeal, uphold=uphold, by=request.user.pk, reason=said["reason"])

    def name() -> None:
        user = account_at(other.cleaned_data["email"])
        if user is None:
            errors = [{"field": "email", "message": _("Nobody has signed up with this address.")}]
            raise NoSuchAccount("Nobody has signed up with this e-mail address.", errors=errors)
        name_adjudicator(appeal=appeal, adjudicator_id=user.pk, by=request.user.pk, reason=other.cleaned_data["reason"])

    decided = _("Decided. Both sides are told.")
    done = carried_out(request, form, decide, to="staff_appeal", args=[appeal], said=decided) or carried_out(
        request, other, name, to="staff_appeal", args=[appeal], said=_("Named.")
    )
    if done:
        return done
    note_adjudicator(request, found)
    shown = staff_appeal_shape(found)
    limited, rejected = found.sanction, found.rejection
    asks = rejected.version.interface if rejected else {"answer": [], "data": []}
    context = {
        "appeal": shown,
        "row": found,
        "own": found.state == State.OPEN and not impartial(found.pk, request.user.pk),
        "form": form,
        "other": other,
        "what": limited and MEASURES[limited.measure],  # type: ignore[index]
        "why": limited and REASONS[limited.reason],  # type: ignore[index]
        "answer": fields_in_words(asks["answer"], shown["values"] or {}, shown["data"]),
        "item": fields_in_words(asks["data"], shown["data"] or {}),
    }
    return render(request, "staff/appeal.html", context, status=status_of(form, other))

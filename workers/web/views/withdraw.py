"""Ask for what was earned, see what is on its way, and call it off."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from marketplace.accounts.second_factor import has_second_factor
from marketplace.api.proofs import proof_of
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.money import AMOUNT_MAX, MICROS
from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.payouts.commands.payouts import cancel_payout
from marketplace.payouts.queries import payouts_of
from marketplace.payouts.states import STOPPABLE
from workers.api.earnings import settle_now
from workers.earnings.commands import withdraw_proven
from workers.earnings.withdrawable import FEE_MICROS, PayoutTerms, payout_terms
from workers.web.outcomes import PAYOUTS, WHY_NOT
from workers.web.people import WorkerRequest, worker_page

SHOWN = 20
PAGE = "work_withdraw"


class WithdrawForm(forms.Form):
    """How much, where to, and a code."""

    destination = forms.ChoiceField(label=gettext_lazy("Pay it to"), widget=forms.RadioSelect)
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        min_value=Decimal("0.01"),
        max_value=Decimal(AMOUNT_MAX // MICROS),
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "size": 10}),
        error_messages={"max_decimal_places": gettext_lazy("Whole cents are paid out.")},
    )
    code = forms.CharField(
        label=gettext_lazy("Code of your authenticator app"),
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "size": 10}),
        help_text=gettext_lazy("Each code counts once: after one was used, wait for the next."),
    )

    def __init__(self, *args: Any, terms: PayoutTerms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = {str(one.public_id): one for one in terms.destinations if one.public_id in terms.usable}
        choices = [(key, f"{one.shown} · {one.currency}") for key, one in self.places.items()]
        self.fields["destination"].choices = choices  # type: ignore[attr-defined]

    def asked(self) -> dict[str, Any]:
        """What the command takes. Money is whole millionths from here on."""
        place = self.places[self.cleaned_data["destination"]]
        return {
            "destination": place.public_id,
            "currency": place.currency,
            "amount_micros": int(self.cleaned_data["amount"] * MICROS),
        }


@worker_page
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: WorkerRequest) -> HttpResponse:
    """The form, and all payouts so far."""
    if request.method != "POST":
        settle_now(request.worker_id)
    terms = payout_terms(request.worker_id)
    form = WithdrawForm(request.POST or None, terms=terms, initial=_first(terms))
    if request.method == "POST" and form.is_valid():
        try:
            proof = proof_of(request, code=form.cleaned_data["code"])
            with once_form(request) as sent:
                if sent.first:
                    withdraw_proven(worker_id=request.worker_id, proof=proof, **form.asked())
                return sent.redirect(PAGE, said=_("Asked for. You can call it off until it is sent."))
        except DomainError as error:
            problem_on(form, _at_its_field(error))
    found = list(_payouts(request))
    payouts, after = page_after(request, "payouts", found, SHOWN, lambda payout: payout.pk)
    context = {
        "form": form,
        "terms": terms,
        "fee_micros": FEE_MICROS,
        "money": [(one, WHY_NOT.get(one.why, "")) for one in terms.money],
        "can": any(one.may_micros for one in terms.money),
        "second_factor": has_second_factor(request.user.pk),
        "payouts": [(payout, *PAYOUTS[payout.state], payout.state in STOPPABLE) for payout in payouts],
        "after": after,
    }
    return render(request, "work/withdraw.html", context, status=422 if form.errors else 200)


@act_only
@worker_page
def cancel(request: WorkerRequest, payout: UUID) -> HttpResponse:
    """Call one off while it is not sent."""
    try:
        with once_form(request) as sent:
            if sent.first:
                cancel_payout(user_id=request.user.pk, public_id=payout)
            return sent.redirect(PAGE, said=_("Called off. The money is on your account again."))
    except NotFound:
        raise Http404 from None
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(PAGE)


def _payouts(request: WorkerRequest) -> Any:
    found = payouts_of(request.user.pk).order_by("-pk")
    place = place_asked(request, "payouts")
    return (found if place is None else found.filter(pk__lt=place))[: SHOWN + 1]


def _first(terms: PayoutTerms) -> dict[str, Any]:
    """What most people want: all of it, to the destination that fits."""
    for place in terms.destinations:
        money = terms.of(place.currency)
        if place.public_id in terms.usable and money.may_micros:
            return {"destination": str(place.public_id), "amount": Decimal(money.may_micros) / MICROS}
    return {}


def _at_its_field(error: DomainError) -> DomainError:
    """The refusal with the names of this form's fields."""
    for finding in error.facts.get("errors", ()):
        if finding.get("field") == "amount_micros":
            finding["field"] = "amount"
    return error

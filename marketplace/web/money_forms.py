"""Forms about an organisation's money."""

from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from marketplace.billing.queries import OwnBatch
from marketplace.common.money import AMOUNT_MAX
from marketplace.pages.periods import PeriodForm

MICROS = 1_000_000


class AccountForm(PeriodForm):
    """Which days, and which of the organisation's places for money."""

    place = forms.ChoiceField(label=_("Where"))

    def __init__(self, *args: Any, batches: list[OwnBatch], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rooms = [("escrow", _("for work")), ("disputes", _("for disputes")), ("topup", _("for top-ups"))]
        choices: list[tuple[str, Any]] = [("funds", _("Free funds"))]
        choices += [(f"{room}:{batch.id}", f"{batch.name} · {words}") for batch in batches for room, words in rooms]
        self.fields["place"].choices = choices  # type: ignore[attr-defined]

    @property
    def account(self) -> tuple[str, UUID | None]:
        """The place, and the batch whose it is."""
        place, _colon, batch = self.cleaned_data["place"].partition(":")
        return place, UUID(batch) if batch else None


class DetailsForm(forms.Form):
    """To whom invoices go."""

    name = forms.CharField(label=_("Name"), max_length=200)
    address = forms.CharField(
        label=_("Address"), required=False, max_length=1_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    tax_id = forms.CharField(label=_("Tax ID"), required=False, max_length=40)
    email = forms.EmailField(label=_("E-mail for invoices"), required=False, max_length=254)


class InvoiceForm(forms.Form):
    """A month to bill."""

    month = forms.TypedChoiceField(label=_("Month"), coerce=date.fromisoformat)
    currency = forms.ChoiceField(label=_("Currency"))

    def __init__(self, *args: Any, until: date, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        months, first = [], until.replace(day=1)
        for _number in range(12):
            first = (first - timedelta(days=1)).replace(day=1)
            months.append((first.isoformat(), date_format(first, "F Y")))
        fields: Any = self.fields
        fields["month"].choices = months
        fields["currency"].choices = [(one, one) for one in currencies]


class BonusForm(forms.Form):
    """Something besides the price, for one worker."""

    worker = forms.CharField(
        label=_("Worker"), max_length=24, help_text=_("The name under which you know the worker, as in answers.")
    )
    amount = forms.DecimalField(label=_("Amount"), min_value=Decimal("0.01"), max_digits=14, decimal_places=6)
    reason = forms.CharField(
        label=_("Why"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}), help_text=_("The worker reads it.")
    )
    reference = forms.CharField(
        label=_("Your reference"),
        max_length=100,
        help_text=_("The same reference pays nothing twice, so that you cannot pay a bonus twice by mistake."),
    )

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if amount * MICROS > AMOUNT_MAX:
            raise forms.ValidationError(_("This is more than can be paid at once."))
        return amount

    @property
    def amount_micros(self) -> int:
        return int((self.cleaned_data["amount"] * MICROS).to_integral_value(ROUND_DOWN))

"""Forms that change where somebody's money goes: each asks for the password and a code."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.common.errors import DomainError
from marketplace.common.money import AMOUNT_MAX, MICROS
from marketplace.payouts.limits import limits
from marketplace.payouts.models import Threshold
from marketplace.payouts.providers.base import Provider
from workers.web.words import Text

# How providers say that a field may stay empty.
OPTIONAL = "not needed"
TEXT_MAX = 500
LABELS: dict[str, Text] = {
    "account": _("Account"),
    "bic": _("BIC"),
    "email": _("E-mail address"),
    "iban": _("IBAN"),
    "name": _("Name of the holder"),
}


class ProofForm(forms.Form):
    """What shows that it is he."""

    password = forms.CharField(
        label=_("Your password here"),
        max_length=1_000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label=_("Code of your authenticator app"),
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
        help_text=_("Each code counts once: after one was used, wait for the next."),
    )

    def evidence(self) -> dict[str, str]:
        """What was typed to show it."""
        return {"password": self.cleaned_data["password"], "code": self.cleaned_data["code"]}

    def at_its_field(self, error: DomainError) -> DomainError:
        """The refusal with the names of this form's fields."""
        return error


class DestinationForm(ProofForm):
    """The fields of one provider."""

    currency = forms.CharField(
        label=_("Currency"),
        min_length=3,
        max_length=3,
        initial="EUR",
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "size": 4}),
        help_text=_("The one that you earn in, as EUR."),
    )
    field_order: list[str] = []

    def __init__(self, by: Provider, data: Any = None) -> None:
        super().__init__(data)
        self._names = tuple(by.fields)
        for name, what in by.fields.items():
            self.fields[f"details_{name}"] = forms.CharField(
                label=str(LABELS.get(name, name.replace("_", " ").capitalize())),
                help_text=f"{what}.",
                max_length=TEXT_MAX,
                required=OPTIONAL not in what,
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )
        self.order_fields([*(f"details_{name}" for name in self._names), "currency", "password", "code"])

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def details(self) -> dict[str, str]:
        """By the names that the provider knows; what was left empty is left out."""
        typed = {name: self.cleaned_data[f"details_{name}"] for name in self._names}
        return {name: text for name, text in typed.items() if text}

    def at_its_field(self, error: DomainError) -> DomainError:
        found = error.facts.get("errors")
        if found:
            error.facts["errors"] = [
                {**one, "field": str(one["field"]).replace("details.", "details_")} for one in found
            ]
        return error


class ThresholdForm(ProofForm):
    """From how much on; empty ends it."""

    above = forms.DecimalField(
        label=_("Pay me whenever I have earned at least"),
        max_value=Decimal(AMOUNT_MAX) / MICROS,
        min_value=0,
        decimal_places=2,
        required=False,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "0.01"}),
    )
    field_order = ["above", "password", "code"]

    def clean_above(self) -> Decimal | None:
        above: Decimal | None = self.cleaned_data["above"]
        least = Decimal(limits().minimum_micros) / MICROS
        if above is not None and above < least:
            raise forms.ValidationError(_("The least that is paid out is %(least)s."), params={"least": f"{least:.2f}"})
        return above

    def above_micros(self) -> int | None:
        """In micro-units; None ends it."""
        above = self.cleaned_data["above"]
        return None if above is None else int(above * MICROS)

    def at_its_field(self, error: DomainError) -> DomainError:
        for one in error.facts.get("errors") or ():
            if one["field"] == "above_micros":
                one["field"] = "above"
        return error

    @staticmethod
    def shown(wish: Threshold | None) -> Decimal | None:
        """What the form begins with."""
        return None if wish is None else Decimal(wish.above_micros) / MICROS

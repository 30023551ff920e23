"""Which days and currency a page of money is about."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.ledger.periods import Period
from marketplace.pages.fields import DayField

DAYS_MAX = 366


class PeriodForm(forms.Form):
    """Which days, of at most a year."""

    first = DayField(label=gettext_lazy("From"))
    last = DayField(label=gettext_lazy("To"))
    currency = forms.ChoiceField(label=gettext_lazy("Currency"))

    def __init__(self, *args: Any, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].choices = [(one, one) for one in currencies]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        first, last = found.get("first"), found.get("last")
        if first and last and first > last:
            self.add_error("first", _("This is after the last day."))
        elif first and last and last - first >= timedelta(days=DAYS_MAX):
            self.add_error("first", _("A statement covers a year at most."))
        return found


def months_back(now: date) -> list[Period]:
    """This month and the two before."""
    found, first = [], now.replace(day=1)
    for _number in range(3):
        month = Period.month(first)
        found.append(Period(month.first, min(month.last, now)))
        first = (first - timedelta(days=1)).replace(day=1)
    return found

"""What the worker earned: at a glance, by day and batch, and line by line."""

import re
from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from marketplace.ledger.periods import Period, today
from workers.api.earnings import settle_now
from workers.earnings.days import earned_by_batch, earned_days, earned_since
from workers.earnings.queries import earned_lines, worker_statement
from workers.earnings.withdrawable import PayoutTerms, payout_terms
from workers.web.chart import chart_of
from workers.web.outcomes import LINES, WHY_NOT
from workers.web.paging import page_after, place_asked
from workers.web.people import WorkerRequest, worker_page

# An hour that is reckoned from a few seconds says nothing.
RATE_FROM_S = 60
SPANS = (7, 30, 90)
SPAN = 30
LINES_SHOWN = 50
DAYS_MAX = 366
CURRENCY = "EUR"


@require_safe
@worker_page
def overview(request: WorkerRequest) -> HttpResponse:
    """At a glance."""
    settle_now(request.worker_id)
    now, span = today(), _span(request)
    terms = payout_terms(request.worker_id)
    currency = currency_of(request, terms)
    week, month = now - timedelta(days=now.weekday()), now.replace(day=1)
    period = Period(now - timedelta(days=span - 1), now)
    days = earned_days(request.worker_id, currency, Period(min(week, month, period.first), now))
    shown = [day for day in days if day.day >= period.first]
    money = terms.of(currency)
    context = {
        "money": money,
        "why": WHY_NOT.get(money.why, ""),
        "limits": terms.limits,
        "currency": currency,
        "currencies": [one.currency for one in terms.money],
        "sums": [
            (_("Today"), earned_since(days, now)),
            (_("This week"), earned_since(days, week)),
            (_("This month"), earned_since(days, month)),
        ],
        "span": span,
        "spans": SPANS,
        "days": shown,
        "earned": earned_since(shown, period.first),
        "chart": chart_of([(day.day, day.earned_micros) for day in shown]),
        "hours": worker_statement(request.worker_id, currency, period).hours,
        "rate_from_s": RATE_FROM_S,
        "batches": earned_by_batch(request.worker_id, currency, period),
    }
    return render(request, "work/earnings.html", context)


class PeriodForm(forms.Form):
    """Which days, of at most a year."""

    first = forms.DateField(label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=gettext_lazy("To"), widget=forms.DateInput(attrs={"type": "date"}))
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
        elif (first and first.year < 2000) or (last and last.year > 2099):
            self.add_error("first", _("Choose days of this century."))
        return found


@require_safe
@worker_page
def statement(request: WorkerRequest) -> HttpResponse:
    """Line by line, with the balance after each."""
    settle_now(request.worker_id)
    now = today()
    terms = payout_terms(request.worker_id)
    currency = currency_of(request, terms)
    typed = {
        "first": request.GET.get("first") or now.replace(day=1),
        "last": request.GET.get("last") or now,
        "currency": currency,
    }
    form = PeriodForm(typed, currencies=[one.currency for one in terms.money] or [CURRENCY])
    if not form.is_valid():
        return render(request, "work/statement.html", {"form": form}, status=422)
    period = Period(form.cleaned_data["first"], form.cleaned_data["last"])
    what = f"statement {currency} {period.first} {period.last}"
    found = earned_lines(
        request.worker_id, currency, period, after=place_asked(request, what) or 0, limit=LINES_SHOWN + 1
    )
    lines, after = page_after(request, what, found, LINES_SHOWN, lambda line: line["cursor"])
    for line in lines:
        line["words"] = LINES.get(line["kind"], line["kind"])
    context = {
        "form": form,
        "period": period,
        "currency": currency,
        "statement": worker_statement(request.worker_id, currency, period),
        "lines": lines,
        "after": after,
        "months": _months(now),
    }
    return render(request, "work/statement.html", context)


def currency_of(request: HttpRequest, terms: PayoutTerms) -> str:
    """The currency asked for, or the one in which the worker has most."""
    asked = request.GET.get("currency", "")
    if re.fullmatch(r"[A-Z]{3}", asked, re.ASCII) and any(one.currency == asked for one in terms.money):
        return asked
    most = max(
        terms.money, key=lambda one: (one.earned_micros + one.paid_micros, one.currency == CURRENCY), default=None
    )
    return most.currency if most else CURRENCY


def _span(request: HttpRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked in {str(span) for span in SPANS} else SPAN


def _months(now: date) -> list[Period]:
    """This month and the two before."""
    found, first = [], now.replace(day=1)
    for _number in range(3):
        month = Period.month(first)
        found.append(Period(month.first, min(month.last, now)))
        first = (first - timedelta(days=1)).replace(day=1)
    return found

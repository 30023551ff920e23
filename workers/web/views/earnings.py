"""What the worker earned: at a glance, by day and batch, and line by line."""

import re
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from marketplace.common.cells import as_csv
from marketplace.common.money import exact
from marketplace.ledger.periods import Period, today
from marketplace.pages.charts import Chart, Point, bar_chart
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.periods import PeriodForm, months_back
from marketplace.pages.templatetags.pages import money as money_text
from workers.api.earnings import settle_now
from workers.earnings.days import Day, earned_by_batch, earned_days, earned_since
from workers.earnings.queries import earned_lines, worker_statement
from workers.earnings.withdrawable import PayoutTerms, payout_terms
from workers.web.outcomes import LINES, WHY_NOT
from workers.web.people import WorkerRequest, worker_page

# An hour that is reckoned from a few seconds says nothing.
RATE_FROM_S = 60
SPANS = (7, 30, 90)
SPAN = 30
LINES_SHOWN = 50
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
        "chart": _chart(shown, currency),
        "hours": worker_statement(request.worker_id, currency, period).hours,
        "rate_from_s": RATE_FROM_S,
        "batches": earned_by_batch(request.worker_id, currency, period),
    }
    return render(request, "work/earnings.html", context)


@require_safe
@worker_page
def days_file(request: WorkerRequest) -> HttpResponse:
    """The days of the chart as CSV; all of them, also those on which nothing came."""
    settle_now(request.worker_id)
    now, span = today(), _span(request)
    currency = currency_of(request, payout_terms(request.worker_id))
    days = earned_days(request.worker_id, currency, Period(now - timedelta(days=span - 1), now))
    lines = [
        {
            "day": day.day.isoformat(),
            "currency": currency,
            "answers": day.answers,
            "for_answers": exact(day.answers_micros),
            "extras": exact(day.extras_micros),
            "together": exact(day.earned_micros),
        }
        for day in days
    ]
    return HttpResponse(
        b"".join(as_csv(["day", "currency", "answers", "for_answers", "extras", "together"], lines)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="earned-{currency}-{now}.csv"'},
    )


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
        "months": months_back(now),
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


def _chart(days: list[Day], currency: str) -> Chart:
    def amount(micros: int) -> str:
        return money_text(micros, currency)

    return bar_chart(
        [
            Point(
                day.earned_micros,
                date_format(day.day, "j M"),
                f"{date_format(day.day, 'SHORT_DATE_FORMAT')}: {amount(day.earned_micros)}",
            )
            for day in days
        ],
        amount,
    )


def _span(request: HttpRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked in {str(span) for span in SPANS} else SPAN

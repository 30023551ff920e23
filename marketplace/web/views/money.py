"""An organisation's money: what it has and holds, what it spent, statements, invoices, deposits and bonuses."""

import re
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.models import Requester
from marketplace.api.balances import balances_of
from marketplace.api.pseudonyms import with_pseudonyms
from marketplace.api.spending import pay_in as how_to_pay_in
from marketplace.batches.models import Batch
from marketplace.billing.commands.invoices import issue_invoice, set_billing_details
from marketplace.billing.queries import (
    MonthSpent,
    account_of,
    deposits_of,
    details_of,
    holds_of,
    invoices_of,
    own_batches,
    spent_by_month,
    statement_of,
)
from marketplace.common.errors import DomainError
from marketplace.common.transactions import one_transaction
from marketplace.ledger.periods import Period, lines, today
from marketplace.pages.charts import Point, bar_chart
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.periods import months_back
from marketplace.pages.templatetags.pages import money as money_text
from marketplace.web.money_forms import AccountForm, BonusForm, DetailsForm, InvoiceForm
from marketplace.web.money_words import EXTRAS, line_words
from marketplace.web.people import ConsoleRequest, console_page
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.queries import extras_page
from workers.profiles.commands import pseudonyms
from workers.profiles.queries import workers_by_pseudonym

CURRENCY = "EUR"
SHOWN = 50
SPANS = (6, 12)
# So many batches can be chosen on the statement's page; every other by its own page or the CSV.
BATCHES_SHOWN = 100


@require_safe
@console_page()
def overview(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """What there is, what batches hold, and what this month cost."""
    balances = balances_of(requester)
    currency, now = _currency(request, balances), today()
    month = Period(now.replace(day=1), now)
    holds = [held for held in holds_of(requester.pk) if held.currency == currency]
    context = {
        **_about(requester, currency, balances),
        "balance": next((one for one in balances if one["currency"] == currency), None),
        "holds": holds[:SHOWN],
        "more_holds": max(0, len(holds) - SHOWN),
        "month": month,
        "statement": statement_of(requester, currency, month),
    }
    return render(request, "console/money.html", context)


@require_safe
@console_page()
def spending(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """Month by month, and batch by batch."""
    balances = balances_of(requester)
    currency = _currency(request, balances)
    span = int(request.GET["months"]) if request.GET.get("months") in {str(one) for one in SPANS} else SPANS[0]
    months = spent_by_month(requester, currency, span, until=today())
    context = {
        **_about(requester, currency, balances),
        "months": months,
        "span": span,
        "spans": SPANS,
        "total": sum(month.total.total_micros for month in months),
        "chart": bar_chart(
            [_point(month, currency) for month in reversed(months)], lambda micros: money_text(micros, currency)
        ),
    }
    return render(request, "console/spending.html", context)


def _point(month: MonthSpent, currency: str) -> Point:
    micros = month.total.total_micros
    name = date_format(month.first, "F Y")
    return Point(micros, date_format(month.first, "M"), f"{name}: {money_text(micros, currency)}")


@require_safe
@console_page()
def statement(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """Line by line of one of the organisation's accounts, with the balance after each."""
    balances, now = balances_of(requester), today()
    currency = _currency(request, balances)
    typed = {
        "first": request.GET.get("first") or now.replace(day=1),
        "last": request.GET.get("last") or now,
        "currency": currency,
        "place": request.GET.get("place") or "funds",
    }
    form = AccountForm(typed, currencies=_currencies(balances), batches=own_batches(requester.pk, limit=BATCHES_SHOWN))
    context: dict[str, Any] = {**_about(requester, currency, balances), "form": form}
    if not form.is_valid():
        return render(request, "console/statement.html", context, status=422)
    period = Period(form.cleaned_data["first"], form.cleaned_data["last"])
    place, batch = form.account
    what = f"postings {requester.pk} {typed['place']} {currency} {period.first} {period.last}"
    account = account_of(requester, currency, period, place=place, batch=batch)
    found = lines(account.stretch, after=place_asked(request, what) or 0, limit=SHOWN + 1) if account else []
    shown, after = page_after(request, what, found, SHOWN, lambda line: line["cursor"])
    names = dict(requester.batches.filter(pk__in={line["batch_id"] for line in shown}).values_list("pk", "name"))
    for line in shown:
        line |= {"words": line_words(line["kind"], line["key"]), "about": names.get(line["batch_id"], "")}
    context |= {
        "period": period,
        "statement": statement_of(requester, currency, period),
        "account": account,
        "lines": with_pseudonyms(requester, shown),
        "after": after,
        "months": months_back(now),
    }
    return render(request, "console/statement.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def invoices(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """Invoices and credit notes, to whom they go, and a month to bill now."""
    if request.method == "POST" and not request.may("manager"):
        raise PermissionDenied
    balances, act = balances_of(requester), request.POST.get("act", "")
    details = details_of(requester)
    known = {name: getattr(details, name) for name in ("name", "address", "tax_id", "email")}
    form = DetailsForm(request.POST if act == "details" else None, initial=known, auto_id="details_%s")
    bill = InvoiceForm(
        request.POST if act == "issue" else None,
        until=today(),
        currencies=_currencies(balances),
        auto_id="bill_%s",
    )
    if request.method == "POST":
        if act not in ("details", "issue"):
            raise BadRequest("there is no such act")
        used = form if act == "details" else bill
        if used.is_valid():
            try:
                with once_form(request) as sent:
                    if sent.first and act == "details":
                        set_billing_details(requester_id=requester.pk, by=request.user, **form.cleaned_data)
                    elif sent.first:
                        told = bill.cleaned_data
                        issue_invoice(
                            requester_id=requester.pk, currency=told["currency"], month=told["month"], by=request.user
                        )
                    said = _("Saved. The next invoice goes there.") if act == "details" else _("The invoice is there.")
                    return sent.redirect("console_invoices", requester.public_id, said=said)
            except DomainError as error:
                problem_on(used, error)
    found = invoices_of(requester.pk).order_by("-pk")
    place = place_asked(request, "invoices")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "invoices", list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
    context = {
        **_about(requester, CURRENCY, balances),
        "invoices": shown,
        "after": after,
        "form": form,
        "bill": bill,
        "details": details,
        "manages": request.may("manager"),
    }
    return render(request, "console/invoices.html", context, status=422 if form.errors or bill.errors else 200)


@require_safe
@console_page()
def pay_in(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """How to pay in, and what came in."""
    found = deposits_of(requester.pk).order_by("-pk")
    place = place_asked(request, "deposits")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "deposits", list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
    context = {
        **_about(requester, CURRENCY, balances_of(requester)),
        "how": how_to_pay_in(requester),
        "deposits": shown,
        "after": after,
    }
    return render(request, "console/pay_in.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def bonuses(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Bonuses and top-ups of a batch, and a new bonus."""
    if request.method == "POST" and not request.may("manager"):
        raise PermissionDenied
    form = BonusForm(request.POST or None, initial={"worker": request.GET.get("worker", "")[:24]})
    if request.method == "POST" and form.is_valid():
        done = _bonus_paid(request, batch, form)
        if done is not None:
            return done
    found = extras_page(batch.pk, after_id=place_asked(request, "extras") or 0, limit=SHOWN + 1)
    shown, after = page_after(request, "extras", found, SHOWN, lambda row: row["cursor"])
    with one_transaction(principal="names"):
        names = pseudonyms(requester_id=batch.requester_id, worker_ids={row["worker_id"] for row in shown})
    context = {
        **_about(batch.requester, batch.currency, []),
        "batch": batch,
        "form": form,
        "extras": [
            {**row, "worker": names[row["worker_id"]], "words": EXTRAS.get(row["kind"], row["kind"])} for row in shown
        ],
        "after": after,
        "manages": request.may("manager"),
    }
    return render(request, "console/bonuses.html", context, status=422 if form.errors else 200)


def _bonus_paid(request: ConsoleRequest, batch: Batch, form: BonusForm) -> HttpResponse | None:
    """The way on after a bonus, or None where it was refused and the form says why."""
    told = form.cleaned_data
    worker_id = workers_by_pseudonym(batch.requester_id, [told["worker"]]).get(told["worker"])
    if worker_id is None:
        form.add_error("worker", _("You know nobody by this name."))
        return None
    try:
        with once_form(request) as sent:
            if sent.first:
                pay_bonus(
                    batch_id=batch.pk,
                    worker_id=worker_id,
                    amount_micros=form.amount_micros,
                    reason=told["reason"],
                    reference=told["reference"],
                    made_by=request.user.pk,
                )
            return sent.redirect("console_bonuses", batch.public_id, said=_("The bonus is paid."))
    except DomainError as error:
        problem_on(form, error)
        return None


def _about(requester: Requester, currency: str, balances: list[dict[str, Any]]) -> dict[str, Any]:
    return {"requester": requester, "currency": currency, "currencies": _currencies(balances)}


def _currencies(balances: list[dict[str, Any]]) -> list[str]:
    return [one["currency"] for one in balances] or [CURRENCY]


def _currency(request: ConsoleRequest, balances: list[dict[str, Any]]) -> str:
    """The one asked for, if there is something in it; else the one with most."""
    asked = request.GET.get("currency", "")
    if re.fullmatch(r"[A-Z]{3}", asked, re.ASCII) and asked in _currencies(balances):
        return asked
    most = max(balances, key=lambda one: one["funds_micros"] + one["held_micros"], default=None)
    return most["currency"] if most else CURRENCY

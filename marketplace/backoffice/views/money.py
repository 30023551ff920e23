"""Money: whether the books hold, what is owed, and what came in."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.queries import requesters_by_name
from marketplace.api.checks import WALK, walk_everything
from marketplace.backoffice.acting import asked, carried_out, status_of, walked
from marketplace.backoffice.figures import ageing_chart
from marketplace.backoffice.forms import DepositForm, DepositReportForm, ReasonForm
from marketplace.backoffice.people import MONEY, StaffRequest, staff_page
from marketplace.billing.commands.deposits import record_deposit, reverse_deposit
from marketplace.billing.commands.reconcile import reconcile_deposits
from marketplace.billing.models import Deposit
from marketplace.billing.queries import AGEING, AGES, any_deposit, any_report, deposits, liabilities, reports
from marketplace.common.walks import last_walk
from marketplace.ledger.queries import anchors, head, ledger_sum
from marketplace.pages.paging import page_after, place_asked
from marketplace.payouts.queries import in_flight, payouts_in

SHOWN = 50
# So many organisations are offered by their names; others are found by theirs all the same.
OFFERED_MAX = 300
ANCHORS_SHOWN = 7


@require_safe
@staff_page(*MONEY)
def money(request: StaffRequest) -> HttpResponse:
    """What is owed by currency, for how long, and what is on its way out."""
    context = {
        "sum": ledger_sum(),
        "head": head(),
        "anchors": anchors(limit=ANCHORS_SHOWN),
        "liabilities": [(owed, ageing_chart(owed)) for owed in liabilities()],
        "ages": list(AGES),
        "ageing": AGEING,
        "flight": in_flight(),
        "waiting": payouts_in("requested").count(),
        "doubtful": payouts_in("in_doubt").count(),
    }
    return render(request, "staff/money.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*MONEY)
def books(request: StaffRequest) -> HttpResponse:
    """Every promise, the books from the transfers alone, and the audit log, as they were when somebody last had them
    looked at: green, or the first bad row. The button has it done again."""
    if request.method == "POST":
        return walked(request, WALK, walk_everything, to="staff_books")
    return render(request, "staff/books.html", {"last": last_walk(WALK)})


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*MONEY)
def money_in(request: StaffRequest) -> HttpResponse:
    """Deposits, and reports of banks that were compared with them."""
    form = asked(DepositForm, request, "deposit", initial={"requester": request.GET.get("requester", "")})
    report = asked(DepositReportForm, request, "report")

    def deposit() -> Deposit | None:
        """The deposit where it had been recorded before."""
        said = form.cleaned_data
        there = deposits().filter(channel=said["channel"], reference=said["reference"]).first()
        record_deposit(
            requester=said["requester"],
            amount_micros=form.amount_micros(),
            currency=said["currency"],
            reference=said["reference"],
            channel=said["channel"],
            evidence=said["evidence"],
            recorded_by=request.user,
        )
        return there

    def compare() -> None:
        found = report.cleaned_data
        reconcile_deposits(channel=found["channel"], body=found["file"].read(), by=request.user)

    done = carried_out(request, form, deposit, to="staff_money_in", said=_recorded) or carried_out(
        request, report, compare, to="staff_money_in", said=_("Compared; what differs is said below the form.")
    )
    if done:
        return done
    found = deposits().order_by("-pk")
    place = place_asked(request, "deposits")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "deposits", list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
    context: dict[str, Any] = {
        "form": form,
        "report": report,
        "deposits": shown,
        "after": after,
        "reports": reports().order_by("-pk")[:SHOWN],
        "organisations": requesters_by_name(limit=OFFERED_MAX),
    }
    return render(request, "staff/money_in.html", context, status=status_of(form, report))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*MONEY)
def reverse(request: StaffRequest, deposit: UUID) -> HttpResponse:
    """Take a deposit back, wholly, with a reason."""
    found = any_deposit(deposit)
    form = ReasonForm(request.POST or None)
    done = carried_out(
        request,
        form,
        lambda: reverse_deposit(deposit=deposit, reason=form.cleaned_data["reason"], by=request.user),
        to="staff_money_in",
        said=_("Taken back."),
    )
    return done or render(request, "staff/reverse.html", {"form": form, "deposit": found}, status=status_of(form))


@require_safe
@staff_page(*MONEY)
def one_report(request: StaffRequest, deposit_report: UUID) -> HttpResponse:
    """What a bank's report was found to say."""
    return render(request, "staff/deposit_report.html", {"report": any_report(deposit_report)})


def _recorded(before: Deposit | None) -> str:
    if before is None:
        return _("Recorded.")
    if hasattr(before, "reversal"):
        return _("This deposit had been recorded before, and was taken back since. Nothing new was recorded.")
    return _("This deposit had been recorded before. Nothing new was recorded.")

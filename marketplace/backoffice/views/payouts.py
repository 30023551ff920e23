"""Payouts: decisions, runs that two people look at, what is in doubt, and what providers report."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.api.looks import note_look
from marketplace.backoffice.acting import carried_out, pressed, status_of
from marketplace.backoffice.forms import OutcomeForm, PayoutReportForm, RefuseForm, RunForm
from marketplace.backoffice.people import MONEY, StaffRequest, staff_page
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.money import shown as amount_shown
from marketplace.common.transactions import one_transaction
from marketplace.pages.paging import page_after, place_asked
from marketplace.payouts.commands.payouts import approve_payout, refuse_payout
from marketplace.payouts.commands.reports import take_in_report
from marketplace.payouts.commands.runs import make_run, release_run, report_outcome, take_file
from marketplace.payouts.models import Payout
from marketplace.payouts.providers.registry import given_a_file, offered
from marketplace.payouts.queries import (
    any_payout,
    any_report,
    attempts,
    in_flight,
    may_release,
    own_among,
    payouts_in,
    payouts_of_run,
    reports,
    run_for,
    runs,
)
from marketplace.payouts.states import PayoutState

SHOWN = 50
# What can still come of a payout of a run.
OPEN = (PayoutState.SENT, PayoutState.SETTLED)


@require_safe
@staff_page(*MONEY)
def payouts(request: StaffRequest) -> HttpResponse:
    """Payouts by state, those first that wait for a decision."""
    state = request.GET.get("state", PayoutState.REQUESTED)
    state = state if state in PayoutState.values else PayoutState.REQUESTED
    found = payouts_in(state).order_by("-pk")
    place = place_asked(request, "payouts")
    if place is not None:
        found = found.filter(pk__lt=place)
    rows, after = page_after(request, "payouts", list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
    note_look(request, "payouts", state)
    context = {"payouts": rows, "after": after, "state": state, "states": PayoutState.choices, "flight": in_flight()}
    return render(request, "staff/payouts.html", context)


@require_http_methods(["POST"])
@staff_page(*MONEY)
def approve(request: StaffRequest, payout: UUID) -> HttpResponse:
    """Let a payout be sent."""
    any_payout(payout)
    return pressed(
        request,
        lambda: approve_payout(public_id=payout, by=request.user.pk),
        to="staff_payouts",
        said=_("Approved. It goes into the next run, or is sent by itself."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*MONEY)
def refuse(request: StaffRequest, payout: UUID) -> HttpResponse:
    """Do not pay it; the worker has his money back, and reads why."""
    found = any_payout(payout)
    form = RefuseForm(request.POST or None)
    done = carried_out(
        request,
        form,
        lambda: refuse_payout(public_id=payout, by=request.user.pk, reason=form.cleaned_data["reason"]),
        to="staff_payouts",
        said=_("Refused. The money is back on the worker's account."),
    )
    if done:
        return done
    note_look(request, "payout", payout)
    return render(request, "staff/refuse.html", {"form": form, "payout": found}, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*MONEY)
def all_runs(request: StaffRequest) -> HttpResponse:
    """Runs of payments by file; a new one gathers what is approved."""
    providers = [(one.name, str(one.title)) for one in given_a_file().values()]
    form = RunForm(request.POST or None, providers=providers)
    done = carried_out(
        request,
        form,
        lambda: make_run(
            provider_name=form.cleaned_data["provider"], currency=form.cleaned_data["currency"], by=request.user.pk
        ),
        to="staff_runs",
        said=_("Made. Now somebody else looks at it and releases it."),
    )
    if done:
        return done
    context = {"form": form, "runs": runs().order_by("-pk")[:SHOWN], "approved": payouts_in("approved").count()}
    return render(request, "staff/runs.html", context, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*MONEY)
def one_run(request: StaffRequest, run: UUID) -> HttpResponse:
    """One run: its payouts, its release, its file, and what came of it."""
    found: Any = run_for(run)
    inside = list(payouts_of_run(found.pk))
    own = own_among(inside, request.user.pk)
    choices = [(str(one.public_id), _named(one)) for one in inside if one.state in OPEN and one not in own]
    release = getattr(found, "release", None)
    form = OutcomeForm(request.POST or None, payouts=choices, released=release is not None)

    def told() -> None:
        said = form.cleaned_data
        report_outcome(
            run_id=found.pk,
            outcome=said["outcome"],
            payouts=[UUID(one) for one in said["payouts"]] or None,
            by=request.user.pk,
            reason=said["reason"],
        )

    done = carried_out(request, form, told, to="staff_run", args=[run], said=_("Written down."))
    if done:
        return done
    note_look(request, "payout_run", run)
    context = {
        "run": found,
        "release": release,
        "payouts": inside,
        "form": form,
        # What the commands would refuse is not offered.
        "closed": any(one.state not in OPEN for one in inside),
        "may_release": release is None and may_release(found, inside, request.user.pk),
    }
    return render(request, "staff/run.html", context, status=status_of(form))


@require_http_methods(["POST"])
@staff_page(*MONEY)
def release(request: StaffRequest, run: UUID) -> HttpResponse:
    """The second pair of eyes."""
    run_for(run)
    return pressed(
        request,
        lambda: release_run(public_id=run, by=request.user.pk),
        to="staff_run",
        args=[run],
        said=_("Released. The file can be taken to the bank."),
    )


@require_safe
@staff_page(*MONEY)
def file(request: StaffRequest, run: UUID) -> HttpResponse:
    """The file of a run that was released; who takes it is kept."""
    try:
        with one_transaction(principal=f"page-user:{request.user.pk}"):
            made = take_file(public_id=run, by=request.user.pk)
    except NotFound:
        raise
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("staff_run", run)
    response = HttpResponse(made.body, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="payouts-{run}.{made.extension}"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*MONEY)
def reconciliation(request: StaffRequest) -> HttpResponse:
    """What providers say to have paid, against what is written here."""
    providers = [(one.name, str(one.title)) for one in offered()]
    form = PayoutReportForm(request.POST or None, request.FILES or None, providers=providers)

    def compare() -> None:
        since, until = form.span()
        take_in_report(
            provider_name=form.cleaned_data["provider"], since=since, until=until, text=form.cleaned_data["file"],
            by=request.user.pk,
        )  # fmt: skip

    done = carried_out(request, form, compare, to="staff_reconciliation", said=_("Compared; see below."))
    if done:
        return done
    context = {"form": form, "reports": reports().order_by("-pk")[:SHOWN]}
    return render(request, "staff/reconciliation.html", context, status=status_of(form))


@require_safe
@staff_page(*MONEY)
def one_report(request: StaffRequest, payout_report: UUID) -> HttpResponse:
    """What differed."""
    return render(request, "staff/payout_report.html", {"report": any_report(payout_report)})


@require_safe
@staff_page(*MONEY)
def wanted_elsewhere(request: StaffRequest) -> HttpResponse:
    """Who wanted to be paid where somebody else is or was: evidence that accounts are one person's, or taken over."""
    note_look(request, "destination_attempts", "all")
    return render(request, "staff/attempts.html", {"attempts": attempts().order_by("-pk")[:SHOWN]})


def _named(payout: Payout) -> str:
    return f"{amount_shown(payout.amount_micros, payout.currency)} · {payout.destination.shown}"

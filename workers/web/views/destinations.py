"""Where a worker is paid: added and removed with a password and a code, and used after 72 hours."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.second_factor import has_second_factor
from marketplace.api.proofs import proof_of
from marketplace.common.errors import DomainError
from marketplace.pages.forms import once_form, problem_on
from marketplace.payouts.commands.destinations import add_destination, remove_destination
from marketplace.payouts.commands.thresholds import set_threshold
from marketplace.payouts.errors import DestinationTaken
from marketplace.payouts.limits import limits
from marketplace.payouts.models import Destination
from marketplace.payouts.providers.base import Provider
from marketplace.payouts.providers.registry import offered
from marketplace.payouts.queries import destinations_of, thresholds_of
from workers.profiles.models import Worker
from workers.web.destination_forms import DestinationForm, ProofForm, ThresholdForm
from workers.web.people import WorkerRequest, worker_page

LIST = "work_destinations"


@require_safe
@worker_page
def destinations(request: WorkerRequest) -> HttpResponse:
    """All of them, and what they are used for by themselves."""
    wishes = {wish.destination_id: wish for wish in thresholds_of(request.user.pk)}
    found = [(one, wishes.get(one.pk)) for one in destinations_of(request.user.pk).order_by("pk")]
    context = {
        "destinations": found,
        "titles": {one.name: one.title for one in offered()},
        "second_factor": has_second_factor(request.user.pk),
        "limits": limits(),
    }
    return render(request, "work/destinations.html", context)


@worker_page
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: WorkerRequest) -> HttpResponse:
    """A new one, by one of the providers of this site."""
    if not has_second_factor(request.user.pk):
        return redirect(LIST)
    providers = offered()
    by = _chosen(providers, request.POST.get("provider") or request.GET.get("provider") or "")
    form = DestinationForm(by, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            proof = proof_of(request, **form.evidence())
            with once_form(request) as sent:
                added = (
                    add_destination(
                        user_id=request.user.pk,
                        provider=by.name,
                        currency=form.cleaned_data["currency"],
                        details=form.details(),
                        proof=proof,
                    )
                    if sent.first
                    else None
                )
                # A refusal that is kept as evidence, and so must be committed.
                if isinstance(added, DestinationTaken):
                    messages.error(request, added.detail)
                    return sent.redirect(LIST)
                return sent.redirect(LIST, said=_("Added. It can be used after 72 hours; we sent you a mail about it."))
        except DomainError as error:
            problem_on(form, form.at_its_field(error))
    context = {"form": form, "providers": providers, "chosen": by}
    return render(request, "work/destination_add.html", context, status=422 if form.is_bound else 200)


@worker_page
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: WorkerRequest, destination: UUID) -> HttpResponse:
    """Asks once more, with password and code."""
    found = _own(request, destination)
    form = ProofForm(request.POST or None)
    if found is None:
        return _gone(request)
    if request.method == "POST" and form.is_valid():
        try:
            proof = proof_of(request, **form.evidence())
            with once_form(request) as sent:
                if sent.first:
                    remove_destination(user_id=request.user.pk, public_id=destination, proof=proof)
                return sent.redirect(LIST, said=_("Removed. Nothing more is paid there."))
        except DomainError as error:
            problem_on(form, error)
    context = {"form": form, "destination": found}
    return render(request, "work/destination_remove.html", context, status=422 if form.is_bound else 200)


@worker_page
@require_http_methods(["GET", "HEAD", "POST"])
def threshold(request: WorkerRequest, destination: UUID) -> HttpResponse:
    """From which amount on he is paid by himself."""
    found = _own(request, destination)
    if found is None:
        return _gone(request)
    wish = thresholds_of(request.user.pk).filter(currency=found.currency).first()
    here = wish if wish is not None and wish.destination_id == found.pk else None
    form = ThresholdForm(request.POST or None, initial={"above": ThresholdForm.shown(here)})
    if request.method == "POST" and form.is_valid():
        try:
            proof = proof_of(request, **form.evidence())
            above = form.above_micros()
            with once_form(request) as sent:
                if sent.first:
                    set_threshold(
                        user_id=request.user.pk,
                        holder=Worker.objects.get(pk=request.worker_id).public_id,
                        destination=destination,
                        above_micros=above,
                        proof=proof,
                    )
                said = _("You are paid there by yourself from now on.") if above else _("You ask for payouts yourself.")
                return sent.redirect(LIST, said=said)
        except DomainError as error:
            problem_on(form, form.at_its_field(error))
    context = {"form": form, "destination": found, "wish": wish, "here": here, "limits": limits()}
    return render(request, "work/destination_threshold.html", context, status=422 if form.is_bound else 200)


def _own(request: WorkerRequest, destination: UUID) -> Destination | None:
    """His destination, also one that is removed; None where there is nothing to change. Raises `Http404`."""
    found = Destination.objects.filter(user_id=request.user.pk, public_id=destination).first()
    if found is None:
        raise Http404
    # A form that is sent twice must find its way to what it did before.
    return found if found.removed_at is None or request.method == "POST" else None


def _gone(request: WorkerRequest) -> HttpResponse:
    messages.info(request, _("This destination is removed already."))
    return redirect(LIST)


def _chosen(providers: list[Provider], name: str) -> Provider:
    found: dict[str, Any] = {one.name: one for one in providers}
    return found.get(name) or providers[0]  # type: ignore[no-any-return]

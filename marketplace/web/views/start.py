"""The way in: which organisation, and what stands there."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.commands import found_requester
from marketplace.accounts.models import Requester, User
from marketplace.accounts.queries import memberships_of
from marketplace.api.overview import overview_of
from marketplace.batches.states import PAUSE_EXPLAINED
from marketplace.pages.forms import once_form
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.start_forms import FoundForm
from marketplace.web.start_words import ROLES


@require_safe
@never_cache
@login_required
def organisations(request: HttpRequest) -> HttpResponse:
    """All organisations of somebody; who has one only goes straight there."""
    found = list(memberships_of(cast(User, request.user).pk).order_by("requester__name", "pk"))
    if len(found) == 1 and "all" not in request.GET:
        return redirect("console_home", found[0].requester.public_id)
    shown = [(one.requester, *ROLES[one.role]) for one in found]
    return render(request, "console/organisations.html", {"memberships": shown, "form": FoundForm()})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def found(request: HttpRequest) -> HttpResponse:
    """A new one, of which he is the owner."""
    form = FoundForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with once_form(request) as sent:
            made = (
                found_requester(user_id=cast(User, request.user).pk, name=form.cleaned_data["name"])
                if sent.first
                else None
            )
            to = made.requester.public_id if made else ""
            return sent.redirect("console_home", to, said=_("Your organisation is there. You are its owner."))
    return render(request, "console/found.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
@console_page()
def home(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """One organisation: what needs attention, and for a newcomer what to do first."""
    overview = overview_of(requester)
    for batch in overview["batches"]:
        batch["answered"] = batch["submitted"] + batch["accepted"] + batch["rejected"]
        batch["why_paused"] = PAUSE_EXPLAINED.get(batch["pause_reason"], "")
    context = {"requester": requester, "role": ROLES[request.role][0], "manager": request.may("manager"), **overview}
    return render(request, "console/home.html", context)

"""Becoming a worker, and what a worker says of himself."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from marketplace.accounts.models import User
from marketplace.accounts.second_factor import has_second_factor
from marketplace.pages.forms import once_form
from workers.profiles.commands import become_worker, update_profile
from workers.profiles.errors import AlreadyWorker
from workers.profiles.models import Worker
from workers.profiles.queries import worker_of
from workers.web.forms import BecomeForm, ProfileForm
from workers.web.people import WorkerRequest, worker_page

BEGIN = "work_board"


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """The first visit of somebody who is signed in and no worker yet."""
    user, to = cast(User, request.user), _next(request)
    form = BecomeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                if sent.first:
                    become_worker(user_id=user.pk, of_age=True, **form.said())
                return sent.redirect(to, said=_("Welcome. This is the board: pick what you like."))
        except AlreadyWorker:
            # In another tab, perhaps. What he says here can be said in the profile.
            return redirect(to)
    if worker_of(user.pk) is not None:
        return redirect(to)
    status = 422 if form.is_bound else 200
    return render(request, "work/start.html", {"form": form, "next": to}, status=status)


@worker_page
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: WorkerRequest) -> HttpResponse:
    """Country, languages, consents, and where the account itself is looked after."""
    worker = Worker.objects.get(pk=request.worker_id)
    form = ProfileForm(request.POST) if request.method == "POST" else ProfileForm(initial=ProfileForm.says(worker))
    if form.is_bound and form.is_valid():
        with once_form(request) as sent:
            if sent.first:
                update_profile(worker_id=request.worker_id, **form.said())
            return sent.redirect("work_profile", said=_("Saved. The board shows what this opens at once."))
    context = {"form": form, "worker": worker, "second_factor": has_second_factor(request.user.pk)}
    return render(request, "work/profile.html", context, status=422 if form.is_bound else 200)


def _next(request: HttpRequest) -> str:
    """Where he wanted to go, if that is a page of ours."""
    to = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(to, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    # A word alone would be taken for the name of a page.
    return to if safe and to.startswith("/") else BEGIN

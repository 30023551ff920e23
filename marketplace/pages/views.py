"""The home page, the way in, and the checks of health and readiness."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketplace.accounts.models import User
from marketplace.pages.design import examples
from marketplace.pages.queries import database_version, is_member, is_worker, readiness, site_state


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is and what runs; somebody who works here goes to his work."""
    if request.user.is_authenticated and is_worker(cast(User, request.user).pk):
        return redirect("work_board")
    return render(request, "pages/home.html", {"site": site_state()})


@require_safe
@never_cache
@login_required
def arrived(request: HttpRequest) -> HttpResponse:
    """Where somebody goes on who has just signed in: to his work, to the staff's pages, to his organisations, or to
    become a worker."""
    person = cast(User, request.user).pk
    if is_worker(person):
        return redirect("work_board")
    if cast(User, request.user).is_staff:
        return redirect("staff_health")
    return redirect("home" if is_member(person) else "work_start")


@require_safe
def design(request: HttpRequest) -> HttpResponse:
    """Every piece that pages are made of, to look at; for those who build them."""
    return render(request, "pages/design.html", examples())


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """200 while the database answers; Redis does not count, because nothing is lost without it."""
    try:
        database_version()
    except (DatabaseError, InterfaceError):
        return JsonResponse({"status": "unavailable", "database": False}, status=503)
    return JsonResponse({"status": "ok", "database": True})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 while requests can be served: the database answers and has this release's migrations. What of Redis and the
    relay does not answer is named, and keeps nobody out."""
    try:
        state = readiness()
    except (DatabaseError, InterfaceError):
        return JsonResponse({"status": "unavailable", "database": False}, status=503)
    facts = {"database": True, "migrations": state.migrated, "redis": state.redis, "relay": state.relay}
    status = "ready" if all(facts.values()) else "degraded" if state.migrated else "unavailable"
    return JsonResponse({"status": status, **facts}, status=200 if state.migrated else 503)

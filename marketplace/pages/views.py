"""The home page and the health check."""

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketplace.pages.queries import database_version, site_state


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is and what runs."""
    return render(request, "pages/home.html", {"site": site_state()})


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """200 while the database answers; Redis does not count, because nothing is lost without it."""
    try:
        database_version()
    except (DatabaseError, InterfaceError):
        return JsonResponse({"status": "unavailable", "database": False}, status=503)
    return JsonResponse({"status": "ok", "database": True})

"""Every address of the site, and what it says when one cannot be served."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.i18n import JavaScriptCatalog

from marketplace.pages import invoices
from marketplace.pages import views as pages
from marketplace.pages.refusals import refusal_page
from marketplace.rest import views as rest
from marketplace.rest.problems import named_problem
from workers.live.metrics import Metrics

urlpatterns = [
    # Patterns are tried one by one, so what is most of the load comes first.
    path("api/v1/", include("workers.api.urls")),
    path("api/v1/", include("marketplace.api.urls")),
    path("api/v1/schema", rest.schema, name="schema"),
    path("api/v1/docs", rest.docs, name="docs"),
    path("", pages.home, name="home"),
    path("arrived/", pages.arrived, name="arrived"),
    path("health/", pages.health, name="health"),
    path("ready/", pages.ready, name="ready"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("invoices/<uuid:invoice>", invoices.invoice_page, name="invoice"),
    path("invoices/<uuid:invoice>.pdf", invoices.invoice_pdf, name="invoice_pdf"),
    path("accounts/", include("allauth.urls")),
    path("work/", include("workers.web.urls")),
    path("console/", include("marketplace.web.urls")),
    path("staff/", include("marketplace.backoffice.urls")),
    path("jsi18n/", cache_control(max_age=3600)(JavaScriptCatalog.as_view()), name="js_catalog"),
]
if settings.DESIGN_PAGE:
    urlpatterns.append(path("design/", pages.design, name="design"))


def _refused(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """Programs get a problem document, people a page."""
    return named_problem(status, detail, request.path) if request.path.startswith("/api/") else refusal_page(status)


def handler400(request: HttpRequest, exception: Any) -> HttpResponse:
    return _refused(request, 400, "The request could not be read.")


def handler403(request: HttpRequest, exception: Any) -> HttpResponse:
    return _refused(request, 403, "This is not allowed.")


def handler404(request: HttpRequest, exception: Any) -> HttpResponse:
    return _refused(request, 404, "There is nothing at this address.")


def handler429(request: HttpRequest) -> HttpResponse:
    return refusal_page(429)


def handler500(request: HttpRequest) -> HttpResponse:
    return _refused(request, 500, "Something went wrong on our side; it has been logged.")

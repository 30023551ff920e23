"""An invoice to read, to print and to keep, for members of the organisation that it bills."""

from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketplace.accounts.models import User
from marketplace.billing.documents import document_of
from marketplace.billing.models import Invoice
from marketplace.billing.pdf import pdf_of
from marketplace.billing.queries import invoice_for
from marketplace.common.errors import NotFound


@require_safe
@never_cache
@login_required
def invoice_page(request: HttpRequest, invoice: UUID) -> HttpResponse:
    """The document as a page, which prints as it looks."""
    found = _found(request, invoice)
    return render(request, "pages/invoice.html", {"invoice": found, "document": document_of(found)})


@require_safe
@never_cache
@login_required
def invoice_pdf(request: HttpRequest, invoice: UUID) -> HttpResponse:
    """The same as PDF."""
    found = _found(request, invoice)
    response = HttpResponse(pdf_of(found), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{found.kind}-{found.label}.pdf"'
    return response


def _found(request: HttpRequest, invoice: UUID) -> Invoice:
    try:
        return invoice_for(cast(User, request.user).pk, invoice)
    except NotFound:
        raise Http404 from None

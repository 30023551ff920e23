"""The API's description, for programs and for people."""

import functools
import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import override
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator


@functools.cache
def schema_bytes() -> bytes:
    """The OpenAPI document as JSON; it depends on the code only, so it is made once in each process."""
    with override("en"):
        document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return json.dumps(document, ensure_ascii=False).encode()


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1, as JSON."""
    return HttpResponse(schema_bytes(), content_type="application/vnd.oai.openapi+json;version=3.1")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same, to read and to try."""
    return render(request, "rest/docs.html")

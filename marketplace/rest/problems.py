"""Every refusal as application/problem+json (RFC 9457). The only place where the domain meets HTTP statuses."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework.exceptions import APIException, ValidationError

from marketplace.common.errors import BadRequest, Conflict, DomainError, Forbidden, NotFound, Unprocessable
from marketplace.rest.errors import facts_of
from marketplace.rest.rendering import http_response, json_bytes

log = logging.getLogger("touchstone.rest")

STATUS: dict[type[DomainError], int] = {
    BadRequest: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Unprocessable: 422,
}
# What the framework refuses by itself: status → code and title.
NAMES = {
    400: ("malformed", "The request cannot be understood"),
    401: ("not-authenticated", "A key is needed"),
    403: ("forbidden", "Not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "This address does not do that"),
    406: ("not-acceptable", "No such representation"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "This content type is not understood"),
    416: ("range-not-satisfiable", "There are no such bytes"),
    422: ("invalid", "Some values are not valid"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal-error", "Something went wrong"),
    503: ("unavailable", "Not available just now"),
}
# Codes of the framework's own that say more than the status does.
TELLING = {"key-refused", "key-expired", "password-refused", "second-factor-needed", "address-not-shown"}


def status_of(error: DomainError) -> int:
    """The HTTP status of a refusal, by its kind; one without a kind is a conflict."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 409)


def problem(
    *, status: int, code: str, title: str, detail: str, instance: str, facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The members of a problem document; facts never displace the standard ones."""
    standard = {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail, "instance": instance}
    return standard | {name: fact for name, fact in (facts or {}).items() if name not in standard}


def problem_of(error: DomainError, instance: str) -> dict[str, Any]:
    """The problem document of a refusal."""
    return problem(
        status=status_of(error),
        code=error.code,
        title=error.title,
        detail=error.detail,
        instance=instance,
        facts=error.facts,
    )


def named_problem(status: int, detail: str, instance: str, **facts: Any) -> HttpResponse:
    """A refusal that the framework makes by itself."""
    code, title = NAMES.get(status, ("refused", "The request was refused"))
    document = problem(status=status, code=code, title=title, detail=detail, instance=instance, facts=facts)
    return http_response(status, json_bytes(document))


def to_problem(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """The exception handler of every API view. What nobody expected is logged whole and told as nothing but a 500."""
    request = context.get("request")
    path = request.path if request is not None else ""
    if isinstance(error, DomainError):
        document = problem_of(error, path)
        return http_response(document["status"], json_bytes(document))
    if isinstance(error, ValidationError):
        return named_problem(422, "Some values are not valid.", path, errors=field_errors(error.detail))
    if isinstance(error, APIException):
        return _framework_problem(error, path)
    if isinstance(error, Http404):
        return named_problem(404, "There is nothing at this address.", path)
    if isinstance(error, PermissionDenied):
        return named_problem(403, "This is not allowed.", path)
    if isinstance(error, RequestDataTooBig):
        return named_problem(413, "The body is larger than this address takes.", path)
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return named_problem(400, "The request could not be read.", path)
    if isinstance(error, OperationalError | InterfaceError):
        log.exception("the database did not answer a request to %s", path)
        return named_problem(503, "The database does not answer just now. Try again in a moment.", path)
    log.error("unexpected error in a request to %s", path, exc_info=error)
    return named_problem(500, "Something went wrong on our side; it has been logged.", path)


def _framework_problem(error: APIException, path: str) -> HttpResponse:
    status = error.status_code
    code, title = NAMES.get(status, ("refused", "The request was refused"))
    given = error.get_codes()
    document = problem(
        status=status,
        code=given if isinstance(given, str) and given in TELLING else code,
        title=title,
        detail=str(error.detail),
        instance=path,
        facts=facts_of(error),
    )
    response = http_response(status, json_bytes(document))
    scheme = getattr(error, "auth_header", None)
    if scheme:
        response["WWW-Authenticate"] = scheme
    wait = getattr(error, "wait", None)
    if wait is not None:
        response["Retry-After"] = str(int(wait))
    return response


def field_errors(detail: Any, path: str = "") -> list[dict[str, str]]:
    """A serializer's nested findings as a flat list; `a.0.b` names the field b of the first item of a."""
    if isinstance(detail, dict):
        nested = [
            field_errors(inner, path if name == "non_field_errors" else f"{path}.{name}" if path else str(name))
            for name, inner in detail.items()
        ]
        return [finding for findings in nested for finding in findings]
    if isinstance(detail, list):
        findings: list[dict[str, str]] = []
        for position, inner in enumerate(detail):
            if isinstance(inner, dict | list):
                findings += field_errors(inner, f"{path}.{position}" if path else str(position))
            else:
                findings.append({"field": path, "message": str(inner)})
        return findings
    return [{"field": path, "message": str(detail)}]

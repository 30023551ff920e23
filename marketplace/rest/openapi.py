"""The OpenAPI description, made from the code."""

from functools import cache
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

SAFE = ("GET", "HEAD", "OPTIONS")
PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    type={"type": "string", "minLength": 1, "maxLength": 200},
    location=OpenApiParameter.HEADER,
    required=True,
    description=(
        "A new one for each request, the same for a repeat: the repeat gets the first answer to the byte, with the"
        " header `Idempotent-Replay: true`. Used with another body it is refused with 422 `idempotency-key-reused`."
    ),
)


PAGE_PARAMETERS = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
    OpenApiParameter("cursor", str, description="From the `next` address of a page"),
]


def listing(row: type[serializers.Serializer[Any]], *parameters: OpenApiParameter) -> dict[str, Any]:
    """Arguments of `extend_schema` for a list of these rows: {"results", "next"}, and the parameters of pages."""
    return {"responses": _page_of(row), "parameters": [*PAGE_PARAMETERS, *parameters]}


@cache
def _page_of(row: type[serializers.Serializer[Any]]) -> Any:
    # One for each kind of row, however many lists have them: the description knows components by their names.
    fields = {"results": row(many=True), "next": serializers.URLField(allow_null=True)}
    return inline_serializer(f"{row.__name__.removesuffix('View')}Page", fields)  # type: ignore[arg-type]


class Schema(AutoSchema):
    """Adds what every endpoint shares: the idempotency key of writes, and refusals as problem documents."""

    def get_operation_id(self) -> str:
        """Method and address, so that no two are equal and none changes when another endpoint is added."""
        parts = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in self.path.split("/")[3:]]
        return "_".join([self.method.lower(), *parts]).replace(".", "_")

    def get_request_serializer(self) -> Any:
        """Views that name none take none."""
        return None

    def get_response_serializers(self) -> Any:
        """Views that name none answer with an object."""
        return OpenApiTypes.OBJECT

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method in SAFE or getattr(self.view, "counts_once_by_itself", False):
            return parameters
        return [*parameters, IDEMPOTENCY_KEY]

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            for status, reason in self._refusals(operation).items():
                operation["responses"].setdefault(status, {"description": reason, "content": PROBLEM_CONTENT})
        return operation

    def _refusals(self, operation: dict[str, Any]) -> dict[str, str]:
        writes = self.method not in SAFE
        found = {"400": "The request cannot be understood"}
        if operation.get("security"):
            found |= {"401": "No key, or one that opens nothing", "403": "Not allowed with this key"}
        if "{" in self.path or writes:
            found["404"] = "There is no such thing, or it is somebody else's"
        if writes:
            found |= {"409": "Not possible now", "422": "Some values are not valid"}
        return found | {"default": "Refused for another reason"}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "marketplace.rest.authentication.ApiKeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key made by POST /api/v1/keys"}


class PageScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "marketplace.rest.authentication.PageAuthentication"
    name = "page"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        text = "The session of a page of this site; writes send its CSRF token as X-CSRFToken"
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": text}

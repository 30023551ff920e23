"""The bodies of requests: JSON, strictly, or bytes that the view reads itself."""

from collections.abc import Mapping
from typing import Any

from rest_framework.parsers import BaseParser

from marketplace.common.strict_json import strict_json as strict_json


class StrictJSONParser(BaseParser):
    """RFC 8259 in UTF-8, without duplicate names, NaN, infinite numbers, NUL characters or half surrogate pairs."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        # The body is kept by the request, which bounds its size; the boundary hashes the same bytes later.
        return strict_json(parser_context["request"].body if parser_context else stream.read())


class AnyBodyParser(BaseParser):
    """Leaves the body alone: the view reads the stream itself."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return {}

"""Answers as bytes. They are made once, so that a stored answer and the answer given are the same to the byte."""

import json
from typing import Any

from django.http import HttpResponse
from rest_framework.utils.encoders import JSONEncoder

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"


def json_bytes(data: Any) -> bytes:
    """Compact UTF-8 JSON; times as ISO 8601 in UTC, ids as text. Refuses NaN."""
    return json.dumps(data, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def http_response(status: int, body: bytes) -> HttpResponse:
    """The answer with these bytes; one of 400 and above is a problem document."""
    response = HttpResponse(body, status=status, content_type=PROBLEM_TYPE if status >= 400 else JSON_TYPE)
    if not body:
        del response["Content-Type"]
    # Answers are the caller's own: no cache on the way may keep one for somebody else.
    response["Cache-Control"] = "no-store"
    return response

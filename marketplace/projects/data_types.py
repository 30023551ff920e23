"""Types of data that an item may show: what a value must be, and its one canonical form. No tables."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from marketplace.projects.answer_types.base import ValueRefused
from marketplace.projects.answer_types.plain import VALUE_BYTES_MAX, bytes_of, text_problem
from marketplace.projects.pictures import PIXELS_MAX, size_of

URL_MAX = 4_096
TABLE_ROWS_MAX = 1_000
TABLE_COLUMNS_MAX = 100
COLUMN_NAME_MAX = 200


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise ValueRefused("must be text")
    if problem := text_problem(value):
        raise ValueRefused(problem)
    if bytes_of(value) > VALUE_BYTES_MAX:
        raise ValueRefused(f"must have at most {VALUE_BYTES_MAX} bytes")
    return value if value and not value.isspace() else None


def _url(value: Any) -> str | None:
    """An absolute http or https URL with a host and without credentials: nothing that runs, nothing relative."""
    url = _text(value)
    if url is None:
        return None
    if len(url) > URL_MAX:
        raise ValueRefused(f"must have at most {URL_MAX} characters")
    # Browsers repair such characters in ways of their own, so that what was checked is not what is opened.
    if any(character <= " " or character in '\\<>"\x7f' or character.isspace() for character in url):
        raise ValueRefused("must be a URL without spaces, quotes, angle brackets, backslashes and control characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueRefused(f"is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueRefused("must be a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueRefused("must be a URL without a user name or password")
    return url


def _shown_url(value: Any) -> str | None:
    """A URL of what pages themselves load. Their policy allows https only, so that a worker would see a hole."""
    url = _url(value)
    if url is not None and urlsplit(url).scheme != "https":
        raise ValueRefused("must be a URL that begins with https://, because pages show media over https only")
    return url


def _media(kind: str, formats: str) -> Callable[[Any], str | None]:
    """A URL, or the thing itself as a data: URL of one of the formats, for what is small."""
    data_url = re.compile(f"data:{kind}/(?:{formats.replace(', ', '|')});base64,([A-Za-z0-9+/]+={{0,2}})")

    def check(value: Any) -> str | None:
        if not isinstance(value, str) or value[:5].lower() != "data:":
            return _shown_url(value)
        matched = data_url.fullmatch(value) if len(value) <= VALUE_BYTES_MAX else None
        if matched is None:
            options = " or ".join(formats.rsplit(", ", 1))
            raise ValueRefused(f"must be a URL, or data:{kind}/{options} in base64 of at most {VALUE_BYTES_MAX} bytes")
        try:
            body = base64.b64decode(matched[1], validate=True)
        except binascii.Error:
            raise ValueRefused("is not base64") from None
        if kind == "image" and (size := size_of(body)) and size[0] * size[1] > PIXELS_MAX:
            raise ValueRefused(f"is a picture of {size[0]} by {size[1]} pixels; at most {PIXELS_MAX} are shown")
        return value

    return check


def _table(value: Any) -> Any:
    """An object of scalars, or a list of up to 1,000 of them; 64 KiB in all."""
    rows = value if isinstance(value, list) else [value]
    if len(rows) > TABLE_ROWS_MAX:
        raise ValueRefused(f"must have at most {TABLE_ROWS_MAX} rows")
    size = 0
    for row in rows:
        if not isinstance(row, dict):
            raise ValueRefused("must be an object of texts, numbers, true, false and null, or a list of such objects")
        if len(row) > TABLE_COLUMNS_MAX:
            raise ValueRefused(f"must have at most {TABLE_COLUMNS_MAX} columns")
        for name, cell in row.items():
            if len(name) > COLUMN_NAME_MAX or text_problem(name):
                raise ValueRefused(f"must have column names of at most {COLUMN_NAME_MAX} characters, without NUL")
            size += len(name) + _cell_size(cell)
    if size > VALUE_BYTES_MAX:
        raise ValueRefused(f"must have at most {VALUE_BYTES_MAX} bytes")
    return value if any(rows) else None


def _cell_size(cell: Any) -> int:
    if isinstance(cell, str):
        if problem := text_problem(cell):
            raise ValueRefused(problem)
        return bytes_of(cell)
    if cell is None or isinstance(cell, bool):
        return 5
    if not isinstance(cell, int | float):
        raise ValueRefused("must hold texts, numbers, true, false and null only; nothing nested")
    if not (abs(cell) < CELL_INTEGER_END if isinstance(cell, int) else math.isfinite(cell)):
        raise ValueRefused("must hold finite numbers only, whole ones below 2**63")
    return 20


CELL_INTEGER_END = 2**63
DATA_TYPES: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "markdown": _text,
    "image": _media("image", "png, jpeg, gif, webp"),
    "audio": _media("audio", "wav, mpeg, ogg, webm, mp4"),
    "video": _shown_url,
    "table": _table,
    "url": _url,
}

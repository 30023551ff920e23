"""Write rows as JSONL, a page at a time."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from marketplace.common.cells import pieces


def as_jsonl(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line, in pieces of about 64 KiB."""
    yield from pieces(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)

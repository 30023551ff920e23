"""The icons: drawn for this site on a field of 24 by 24, two units of stroke, in one file that pages refer into."""

import re
from functools import cache
from pathlib import Path

SPRITE = "pages/icons.svg"


@cache
def icon_names() -> frozenset[str]:
    """The names that the file has."""
    text = (Path(__file__).parent / "static" / SPRITE).read_text(encoding="utf-8")
    return frozenset(re.findall(r'<symbol id="([a-z-]+)"', text))

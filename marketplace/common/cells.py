"""Cells of CSV files that cannot become formulas in a spreadsheet (R33): the one writer of cells, for every export."""

import json
from typing import Any

# What a spreadsheet may run, with the full-width forms that some read alike. A cell that begins with an apostrophe is
# escaped too, so that dropping one leading apostrophe always gives the text back.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "'")


def safe_cell(value: Any) -> Any:
    """The value as a CSV cell: lists and objects as JSON, texts that a spreadsheet would run with a leading apostrophe.

    Numbers stay numbers, negative ones too: a number is not a formula.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.lstrip(" \n").startswith(FORMULA_STARTS):
        return "'" + value
    return value

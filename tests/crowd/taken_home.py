"""What the requester takes home: agreement, expected error, and a version of the data set."""

from __future__ import annotations

import time

from tests.crowd.client import Json, Session
from tests.crowd.settle import TooSlow

LOOK_EVERY_S = 0.25
SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}


def taken_home(requester: Session, batch_id: str, *, field: str, limit_s: float) -> Json:
    """Agreement and expected error of the field, and a data set made of the newest results: its format, items, bytes
    and hash. Raises `TooSlow` after `limit_s`, or when it cannot be made."""
    [agreed] = requester.agreement(batch_id, field)["fields"]
    alpha = next(figure for figure in agreed["figures"] if figure["name"] == "krippendorff")
    [quality] = requester.quality_report(batch_id)["fields"]
    made = requester.make_dataset(batch_id, {"format": "csv", "splits": SPLITS})
    deadline = time.monotonic() + limit_s
    while made["finished_at"] is None and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        made = requester.dataset(batch_id, made["number"])
    if made["state"] != "done":
        raise TooSlow(f"The data set is {made['state']} after {limit_s:.0f} s. {made['error']}")
    return {
        "alpha": alpha["value"],
        "alpha_words": agreed["words"],
        "expected_error": quality["expected"],
        "expected_error_low": quality["low"],
        "expected_error_high": quality["high"],
        "dataset": {name: made[name] for name in ("number", "format", "items", "bytes", "valid", "content_sha256")},
    }

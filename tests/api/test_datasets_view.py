"""Data sets over the API: asked for, followed, downloaded in pieces that fit together."""

import hashlib
import io
import zipfile
from typing import Any

import pytest

from marketplace.results.models import Dataset
from marketplace.results.tasks import build_datasets
from tests.api.callers import Caller, caller_for
from tests.api.described import findings
from tests.results.test_datasets import labelled


@pytest.fixture
def owner(committed: str) -> tuple[Caller, str]:
    batch, _ = labelled(12)
    return caller_for(batch.requester.members.get().user, "requester"), f"batches/{batch.public_id}/datasets"


def test_a_version_is_asked_for_followed_and_downloaded_in_pieces(owner: tuple[Caller, str]) -> None:
    caller, path = owner
    body = {"format": "csv", "splits": {"train": 0.5, "test": 0.5}, "seed": "s"}
    asked = caller.post(path, body)
    assert findings(asked) == []
    assert (asked.status, asked.json["number"], asked.json["state"]) == (202, 1, "gathering")
    assert caller.get(f"{path}/1/archive").expect(409)["type"].endswith("data-set-unfinished")
    assert caller.get(f"{path}/1/validation").status == 409

    build_datasets()

    made = caller.get(f"{path}/1")
    assert findings(made) == []
    assert (made.json["state"], made.json["items"], made.json["items_written"]) == ("done", 12, 12)
    whole = caller.get(f"{path}/1/archive")
    assert findings(whole) == []
    assert whole.headers["ETag"] == f'"{made.json["archive_sha256"]}"'
    assert hashlib.sha256(whole.body).hexdigest() == made.json["archive_sha256"]
    assert len(whole.body) == made.json["bytes"] == int(whole.headers["Content-Length"])
    assert {"train.csv", "test.csv"} < set(zipfile.ZipFile(io.BytesIO(whole.body)).namelist())
    for name in ("validation", "manifest"):
        said = caller.get(f"{path}/1/{name}")
        assert (said.status, findings(said)) == (200, [])
    assert caller.get(f"{path}/1/manifest").json["content_sha256"] == made.json["content_sha256"]
    listed = caller.get(path)
    assert findings(listed) == []
    assert [row["number"] for row in listed.json["results"]] == [1]

    pieces, at = [], 0
    while at < len(whole.body):
        piece = caller.call("GET", f"{path}/1/archive", headers={"Range": f"bytes={at}-{at + 99}"})
        assert (piece.status, findings(piece)) == (206, [])
        assert piece.headers["Content-Range"] == f"bytes {at}-{at + len(piece.body) - 1}/{len(whole.body)}"
        pieces.append(piece.body)
        at += len(piece.body)
    assert b"".join(pieces) == whole.body

    def ranged(value: str, **more: str) -> Any:
        return caller.call("GET", f"{path}/1/archive", headers={"Range": value, **more})

    assert ranged("bytes=-10").body == whole.body[-10:]
    assert ranged("bytes=500-").body == whole.body[500:]
    assert ranged("bytes=5-1000000000").body == whole.body[5:]
    assert ranged("bytes=5-", **{"If-Range": whole.headers["ETag"]}).status == 206
    # Other bytes than those that the download began with, or a range that nobody understands: all of it.
    assert ranged("bytes=5-", **{"If-Range": '"other"'}).body == whole.body
    assert ranged("bytes=1-2,4-5").status == ranged("items=1-2").status == ranged("bytes=-").status == 200
    beyond = ranged(f"bytes={len(whole.body)}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.body)}")
    assert findings(beyond) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"format": "stone"}, "format"),
        ({"format": "csv", "options": {"no": 1}}, "options.no"),
        ({"format": "csv", "splits": {"train": 1.0}}, "splits"),
        ({"format": "csv", "splits": {"train": 0.5, "test": 0.4}}, "splits"),
        ({"format": "csv", "splits": {"../train": 0.5, "test": 0.5}}, "splits.../train"),
        ({"format": "csv", "splits": {"train": 0.5, "test": 0.5}, "stratify": "note"}, "stratify"),
        ({"format": "csv", "seed": "s"}, "splits"),
    ],
)
def test_what_is_wrong_is_named_and_makes_no_version(owner: tuple[Caller, str], body: Any, field: str) -> None:
    caller, path = owner
    refused = caller.post(path, body)
    assert (refused.status, findings(refused)) == (422, [])
    assert field in {error["field"] for error in refused.json["errors"]}
    assert not Dataset.objects.exists()


def test_at_most_five_versions_are_built_at_a_time(owner: tuple[Caller, str]) -> None:
    caller, path = owner
    numbers = [caller.post(path, {"format": "jsonl"}).expect(202)["number"] for _ in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    assert caller.post(path, {"format": "jsonl"}).status == 409
    build_datasets()
    assert set(Dataset.objects.values_list("state", flat=True)) == {"done"}
    assert len(set(map(bytes, Dataset.objects.values_list("archive_sha256", flat=True)))) == 1


def test_a_report_that_is_not_clean_stops_a_version_that_has_to_be_valid(committed: str) -> None:
    batch, _ = labelled(9, leave=3)
    caller = caller_for(batch.requester.members.get().user, "requester")
    path = f"batches/{batch.public_id}/datasets"
    caller.post(path, {"format": "jsonl", "require_valid": True}).expect(202)
    caller.post(path, {"format": "jsonl"}).expect(202)
    build_datasets()
    stopped, made = (caller.get(f"{path}/{number}").expect(200) for number in (1, 2))
    assert (stopped["state"], stopped["valid"], stopped["bytes"]) == ("failed", False, 0)
    assert "no result" in stopped["error"]
    assert caller.get(f"{path}/1/archive").expect(409)["detail"] == stopped["error"]
    checks = {check["check"]: check for check in caller.get(f"{path}/1/validation").expect(200)["checks"]}
    assert (checks["labelled"]["count"], checks["labelled"]["items"]) == (3, ["t0006", "t0007", "t0008"])
    assert (made["state"], made["valid"], made["items"]) == ("done", False, 6)

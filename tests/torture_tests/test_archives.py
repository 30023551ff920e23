"""Archives of data sets, looked at without the product: each kind of damage is planted and must be found."""

import io
import json
import zipfile
from hashlib import sha256
from typing import Any

import pytest

from tests.torture.archives import CHECKSUMS, MANIFEST, opened

ROWS = [
    {"external_id": "t0", "split": "train", "answers": [{"id": "a", "state": "accepted"}]},
    {"external_id": "t1", "split": "test", "answers": [{"id": "b", "state": "upheld"}]},
]


def files(rows: list[dict[str, Any]]) -> dict[str, bytes]:
    return {f"{row['split']}.jsonl": json.dumps(row).encode() + b"\n" for row in rows}


def archive(given: dict[str, bytes], *, instead: dict[str, bytes] | None = None, items: int = 2) -> bytes:
    """An archive that says of its files what is true; `instead` takes the place of some of them."""
    checksums = "".join(f"{sha256(body).hexdigest()}  {path}\n" for path, body in given.items()).encode()
    manifest = {
        "format": {"name": "jsonl"},
        "items": items,
        "splits": {"train": 1, "test": 1},
        "files": {"count": len(given)},
        "content_sha256": sha256(checksums).hexdigest(),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        own = {CHECKSUMS: checksums, MANIFEST: json.dumps(manifest).encode()}
        for path, body in {**given, **own, **(instead or {})}.items():
            out.writestr(path, body)
    return packed.getvalue()


def test_a_whole_archive_has_no_problems_and_says_whose_answers_it_has() -> None:
    found = opened(archive(files(ROWS)))
    assert found.problems == []
    assert found.answers == [("a", "accepted"), ("b", "upheld")]
    assert found.content_sha256 == found.manifest["content_sha256"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive(files(ROWS))[:-30], "cannot be read"),
        (archive(files(ROWS), instead={"train.jsonl": b"{}"}), "cannot be read|checksum"),
        (archive(files(ROWS), instead={"test.jsonl": files([{**ROWS[1], "n": 1}])["test.jsonl"]}), "checksum"),
        (archive(files(ROWS), instead={"late.jsonl": b""}), "checksums of"),
        (archive(files(ROWS), instead={CHECKSUMS: b""}), "another hash"),
        (archive(files(ROWS), items=3), "the manifest says 3"),
        (archive(files(ROWS[:1])), "splits"),
        (archive(files([ROWS[0], {**ROWS[1], "external_id": "t0"}])), "1 different"),
        (archive(files([ROWS[0], {**ROWS[1], "answers": ROWS[0]["answers"]}])), "there twice"),
    ],
)
def test_a_damaged_archive_is_found(content: bytes, words: str) -> None:
    problems = " ".join(opened(content).problems)
    assert any(word in problems for word in words.split("|")), problems

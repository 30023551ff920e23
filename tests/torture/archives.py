"""An archive of a data set, looked at without the product: does it agree with itself, and whose answers are in it?"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

OWN = "touchstone"
CHECKSUMS = f"{OWN}/checksums.sha256"
MANIFEST = f"{OWN}/manifest.json"
TABLES = ("csv", "mturk_csv")


@dataclass
class Archive:
    """What is in an archive; `answers` are the ids of single answers with the state that they are said to have."""

    problems: list[str] = field(default_factory=list)
    content_sha256: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)
    answers: list[tuple[str, str]] = field(default_factory=list)


def opened(content: bytes) -> Archive:
    """Read it whole; whatever is wrong is a problem in words, never an exception."""
    found = Archive()
    try:
        _read(content, found)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError) as error:
        found.problems.append(f"it cannot be read: {type(error).__name__} {error}")
    return found


def _read(content: bytes, found: Archive) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        bodies = {name: archive.read(name) for name in archive.namelist()}
        if len(bodies) != len(archive.namelist()):
            found.problems.append("a path is there twice")
    listed = {}
    for line in bodies[CHECKSUMS].decode().splitlines():
        digest, path = line.split("  ", 1)
        listed[path] = digest
    files = {path: body for path, body in bodies.items() if not path.startswith(f"{OWN}/")}
    if set(files) != set(listed):
        found.problems.append(f"files {sorted(files)}, checksums of {sorted(listed)}")
    for path, body in files.items():
        if sha256(body).hexdigest() != listed.get(path):
            found.problems.append(f"{path} is not what its checksum says")
    found.content_sha256 = sha256(bodies[CHECKSUMS]).hexdigest()
    found.manifest = manifest = json.loads(bodies[MANIFEST])
    if manifest["content_sha256"] != found.content_sha256:
        found.problems.append("the manifest says another hash of the content")
    if manifest["files"]["count"] != len(files):
        found.problems.append(f"{len(files)} files, the manifest says {manifest['files']['count']}")
    _count(files, found)


def _count(files: dict[str, bytes], found: Archive) -> None:
    """Compare items and splits with what the manifest says of them, and collect the single answers."""
    form, items = found.manifest["format"]["name"], found.manifest["items"]
    seen: list[str] = []
    splits: dict[str, int] = {}
    for path, body in files.items():
        if form == "jsonl":
            rows = [json.loads(line) for line in body.decode().splitlines()]
            seen += [row["external_id"] for row in rows]
            for row in rows:
                splits[row.get("split", "")] = splits.get(row.get("split", ""), 0) + 1
                found.answers += [(answer["id"], answer["state"]) for answer in row.get("answers", ())]
        elif form in TABLES and path.endswith(".csv"):
            table = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))
            if form == "csv":
                seen += [row["external_id"] for row in table]
                for row in table:
                    splits[row["split"]] = splits.get(row["split"], 0) + 1
            else:
                found.answers += [(row["AssignmentId"], row["AssignmentStatus"]) for row in table]
    if form in ("jsonl", "csv"):
        if len(seen) != items or len(set(seen)) != items:
            found.problems.append(f"{len(seen)} items, {len(set(seen))} different, the manifest says {items}")
        wanted = {name: number for name, number in (found.manifest["splits"] or {"": items}).items() if number}
        if splits != wanted:
            found.problems.append(f"splits {splits}, the manifest says {wanted}")
    ids = [answer for answer, _ in found.answers]
    if len(set(ids)) != len(ids):
        found.problems.append(f"{len(ids) - len(set(ids))} answers are there twice")

"""A base backup is what its manifest says: every file, by size and SHA-256, none missing and none beside.

PostgreSQL's own `pg_verifybackup` looks at the same, and the embedded servers bring one that some kernels cannot load.
The form of a manifest: https://www.postgresql.org/docs/18/backup-manifest-format.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 1024 * 1024
MANIFEST = "backup_manifest"
# These change or are made when a backup is brought back.
MAY_CHANGE = {MANIFEST, "postgresql.auto.conf", "recovery.signal", "standby.signal"}
LAST_LINE = b'"Manifest-Checksum"'


def damage(base: Path) -> Iterator[str]:
    """What is wrong with the files of a base backup, a sentence each; nothing where all is well.

    The log in `pg_wal` is not looked at: whoever replays it does.
    """
    whole = (base / MANIFEST).read_bytes()
    told, _, _ = whole.rpartition(LAST_LINE)
    try:
        manifest: dict[str, Any] = json.loads(whole)
        files = {name: file for file in manifest["Files"] if (name := _path_of(file)) not in MAY_CHANGE}
        if hashlib.sha256(told).hexdigest() != manifest["Manifest-Checksum"]:
            yield "the manifest is not as it was written"
            return
    except (KeyError, TypeError, ValueError):
        yield "the manifest cannot be read"
        return
    there = {str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()}
    there = {name for name in there - MAY_CHANGE if not name.startswith("pg_wal/")}
    for name in sorted(there - files.keys()):
        yield f"{name} is not in the manifest"
    for name, file in files.items():
        if name not in there:
            yield f"{name} is missing"
        elif (size := (base / name).stat().st_size) != file["Size"]:
            yield f"{name} has {size} bytes instead of {file['Size']}"
        elif file.get("Checksum-Algorithm") != "SHA256":
            yield f"{name} has no SHA-256 in the manifest"
        elif _digest(base / name) != file["Checksum"]:
            yield f"{name} is not as it was copied"


def _path_of(file: dict[str, Any]) -> str:
    # A name that is no UTF-8 is told in hexadecimal.
    return str(file["Path"]) if "Path" in file else bytes.fromhex(file["Encoded-Path"]).decode(errors="surrogateescape")


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()

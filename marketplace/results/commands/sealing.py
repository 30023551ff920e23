"""The last step of a data set: hashes of all files, and one archive made of the parts that are there.

Parts stay where they are and are told their place in the archive; headers, our own three files and the directory are
added as parts between and behind them. In the folder `touchstone` of every archive are `checksums.sha256`, which
`sha256sum --check` reads and whose own SHA-256 is the hash of the content, `validation.json` and `manifest.json`.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, Any

from marketplace.common.database import MarketNow, rows, run
from marketplace.common.transactions import one_transaction
from marketplace.results.archive import DEFLATED, Member, directory_end, directory_entry, local_header
from marketplace.results.commands.holding import PART_BYTES, hold, keep
from marketplace.results.models import Dataset, DatasetPart
from marketplace.results.plans import Plan
from marketplace.results.queries.datasets import archive_bytes, archive_size, grown_paths, parts_of
from marketplace.results.spool import OWN_FOLDER, Packed
from marketplace.results.states import DatasetState, PartKind
from marketplace.results.writers.registry import writers

# An empty last block, as RFC 1951 has it: it ends what pieces of a growing file left open.
LAST_BLOCK = b"\x03\x00"
FILES_SHOWN = 1_000
FORM = "touchstone data set 1"


@dataclass
class _Layout:
    """The archive as it comes to be: frames are (at, bytes), places (kind, path, at of its first part)."""

    directory: IO[bytes]
    checksums: IO[bytes]
    at: int = 0
    count: int = 0
    size: int = 0
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)

    def frame(self, body: bytes) -> None:
        """Add bytes of our own."""
        self.frames.append((self.at, body))
        self.at += len(body)

    def enter(self, member: Member, at: int, digest: str) -> None:
        """Put a file of the writer's into the directory and the checksums."""
        self.directory.write(directory_entry(member, at))
        self.checksums.write(f"{digest}  {member.path}\n".encode())
        self.count += 1
        self.size += member.size
        if len(self.shown) < FILES_SHOWN:
            self.shown.append({"path": member.path, "bytes": member.size, "sha256": digest})


def seal(it: Dataset) -> None:
    """Put the archive together, and finish the version. Begun anew where it was broken off."""
    with TemporaryFile() as directory, TemporaryFile() as checksums:
        layout = _Layout(directory, checksums)
        places = [*_grown(it, layout), *_whole(it, layout)]
        manifest, content = _own_files(it, layout)
        _close(layout)
        with one_transaction(principal="system"):
            hold(it, stepped=False)
            DatasetPart.objects.filter(of=it, kind=PartKind.FRAME).delete()
            run("UPDATE results_datasetpart SET at = NULL WHERE dataset_id = %s AND at IS NOT NULL", [it.pk])
            for kind, path, stretch, number, at in places:
                run(
                    "UPDATE results_datasetpart SET at = %s"
                    " WHERE dataset_id = %s AND kind = %s AND path = %s AND stretch = %s AND number = %s",
                    [at, it.pk, kind, path, stretch, number],
                )
            for number, (at, body) in enumerate(layout.frames):
                keep(it, PartKind.FRAME, body, number=number, at=at)
    size = archive_size(it.pk)
    assert size == layout.at, "the archive is not as long as it was laid out"
    digest = sha256()
    for piece in archive_bytes(it.pk, start=0, end=size):
        digest.update(piece)
    with one_transaction(principal="system"):
        hold(it)
        DatasetPart.objects.filter(of=it, at=None).delete()
        Dataset.objects.filter(pk=it.pk).update(
            state=DatasetState.DONE,
            manifest=manifest,
            content_sha256=content,
            archive_sha256=digest.digest(),
            size=size,
            finished_at=MarketNow(),
            touched_at=MarketNow(),
        )


def _grown(it: Dataset, layout: _Layout) -> Iterator[tuple[str, str, int, int, int]]:
    """Lay out the files that grew, by path; yields their parts with their places."""
    for path in grown_paths(it.pk):
        crc, size, packed, digest = 0, 0, 0, sha256()
        unpack = zlib.decompressobj(-15)
        for body in parts_of(it.pk, PartKind.GROWN, path=path):
            packed += len(body)
            for piece in _inflated(unpack, body):
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                digest.update(piece)
        member = Member(path, DEFLATED, crc, packed + len(LAST_BLOCK), size)
        layout.enter(member, layout.at, digest.hexdigest())
        layout.frame(local_header(member))
        yield from _placed(it, layout, PartKind.GROWN, path)
        layout.frame(LAST_BLOCK)


def _whole(it: Dataset, layout: _Layout) -> Iterator[tuple[str, str, int, int, int]]:
    """Lay out the files that were written at once, stretch by stretch."""
    for (stretch,) in rows(
        "SELECT DISTINCT stretch FROM results_datasetpart WHERE dataset_id = %s AND kind = %s ORDER BY stretch",
        [it.pk, PartKind.INDEX],
    ):
        begin = layout.at
        for line in _lines(_stretch_parts(it.pk, stretch)):
            path, method, crc, packed, size, at, digest = json.loads(line)
            layout.enter(Member(path, method, crc, packed, size), begin + at, digest)
        yield from _placed(it, layout, PartKind.WHOLE, "", stretch)


def _placed(
    it: Dataset, layout: _Layout, kind: PartKind, path: str, stretch: int | None = None
) -> Iterator[tuple[str, str, int, int, int]]:
    for of_stretch, number, size in rows(
        "SELECT stretch, number, octet_length(body) FROM results_datasetpart WHERE dataset_id = %s AND kind = %s"
        " AND path = %s AND (%s::integer IS NULL OR stretch = %s) ORDER BY stretch, number",
        [it.pk, kind, path, stretch, stretch],
    ):
        yield kind.value, path, of_stretch, number, layout.at
        layout.at += size


def _own_files(it: Dataset, layout: _Layout) -> tuple[dict[str, Any], bytes]:
    """Add our own files; the manifest and the hash of the content."""
    layout.checksums.seek(0)
    content = sha256()
    for piece in _read(layout.checksums):
        content.update(piece)
    manifest = _manifest(it, layout, content.hexdigest())
    layout.checksums.seek(0)
    _own(layout, "checksums.sha256", _read(layout.checksums))
    _own(layout, "validation.json", [_json(it.validation)])
    _own(layout, "manifest.json", [_json(manifest)])
    return manifest, content.digest()


def _own(layout: _Layout, name: str, pieces: Iterable[bytes]) -> None:
    with TemporaryFile() as body:
        packed = Packed(body, compress=True, ends=True)
        for piece in pieces:
            packed.write(piece)
        packed.finish()
        member = Member(f"{OWN_FOLDER}/{name}", DEFLATED, packed.crc, packed.packed, packed.size)
        layout.directory.write(directory_entry(member, layout.at))
        layout.count += 1
        layout.frame(local_header(member))
        body.seek(0)
        for piece in _read(body):
            layout.frame(piece)


def _close(layout: _Layout) -> None:
    begin = layout.at
    layout.directory.seek(0)
    for piece in _read(layout.directory):
        layout.frame(piece)
    layout.frame(directory_end(layout.count, layout.at - begin, begin))


def _manifest(it: Dataset, layout: _Layout, content: str) -> dict[str, Any]:
    """What the data set is. It says nothing of when it was made, nor its number: made again it is the same."""
    plan = Plan.of(it)
    assert it.validation is not None, "the report is made before anything is written"
    return {
        "form": FORM,
        "format": {"name": it.format, "title": writers()[it.format].title, "options": it.options},
        "batch": {"id": str(it.batch.public_id), "name": it.batch.name},
        "project": {"id": str(it.batch.project.public_id), "name": it.batch.project.name},
        "instruction_version": it.batch.version.number,
        "results": {
            "id": str(it.run.public_id),
            "method": it.run.method,
            "with_gold": it.run.with_gold,
            "converged": it.run.converged,
        },
        "plan": plan.told(),
        "interface": it.batch.version.interface,
        "items": it.items,
        "answers": it.answers,
        "splits": None
        if not plan.splits or not it.validation["splits"]
        else {name: sum(labels.values()) for name, labels in it.validation["splits"].items()},
        "losses": it.losses,
        "valid": it.validation["ok"],
        "files": {"count": layout.count, "bytes": layout.size, "first": layout.shown},
        "content_sha256": content,
    }


def _stretch_parts(dataset_id: int, stretch: int) -> Iterator[bytes]:
    number = 0
    while found := rows(
        "SELECT body FROM results_datasetpart"
        " WHERE dataset_id = %s AND kind = %s AND path = '' AND stretch = %s AND number = %s",
        [dataset_id, PartKind.INDEX, stretch, number],
    ):
        yield bytes(found[0][0])
        number += 1


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    assert not rest, "the index ends amid a line"


def _inflated(unpack: Any, body: bytes) -> Iterator[bytes]:
    """What the bytes stand for, a piece at a time: a few bytes may stand for very many."""
    piece = unpack.decompress(body, PART_BYTES)
    while piece:
        yield piece
        piece = unpack.decompress(unpack.unconsumed_tail, PART_BYTES)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PART_BYTES):
        yield piece


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"

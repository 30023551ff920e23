"""A zip of small pictures or sounds as lines of JSON: with a table beside them whose cells name them, or by themselves.

The site keeps no files: a file becomes a data: URL within its item, so that it must be small. Larger ones lie where
their requester keeps them, and items hold their addresses.

A cell that names a file stays as it is, and the file comes in a column beside it: `picture` and `picture (file)`. In
a column that is called `data.…` the file itself takes the place of its name. Without a table there is a row for each
file, with the columns `name` and `file`.

A zip can say that it is anything and unpack to a million times its size. What its directory says is looked at before
anything is unpacked, no more than it says is unpacked, and no more than a row is held.
"""

import base64
import csv
import io
import json
import stat
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from marketplace.batches.errors import FileUnreadable, ImportTooLarge
from marketplace.batches.rows import BLOCK, COLUMNS_MAX, ROW_BYTES_MAX, Lines, each_once
from marketplace.projects.answer_types.plain import VALUE_BYTES_MAX

ENTRIES_MAX = 1_000
TOO_MANY = f"A zip may have at most {ENTRIES_MAX:,} files; split it."
# Of the directory at the end, which is read before its entries can be counted: a KiB for each of them.
DIRECTORY_BYTES_MAX = 1024 * ENTRIES_MAX
# Of all files together, also as so many times the size of the zip.
UNPACKED_MAX = 500 * 1024 * 1024
RATIO_MAX = 100
# In base64 four bytes stand for three, behind the name of the kind.
FILE_BYTES_MAX = (VALUE_BYTES_MAX - 64) // 4 * 3
TABLES = (".csv", ".jsonl", ".ndjson")
COLUMN = "{} (file)"
# By their first bytes, whatever they are called; the second look is at those behind the size of a RIFF.
KINDS = (
    (b"\x89PNG\r\n\x1a\n", b"", "image/png"),
    (b"\xff\xd8\xff", b"", "image/jpeg"),
    (b"GIF8", b"", "image/gif"),
    (b"RIFF", b"WEBP", "image/webp"),
    (b"RIFF", b"WAVE", "audio/wav"),
    (b"OggS", b"", "audio/ogg"),
    (b"ID3", b"", "audio/mpeg"),
    (b"\xff\xfb", b"", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", b"", "audio/webm"),
)


def zip_lines(file: BinaryIO) -> Iterator[bytes]:
    """The rows, each as a line of JSON; the file must be able to seek. Nothing is unpacked to a disk.

    Raises `FileUnreadable`, `ImportTooLarge`.
    """
    try:
        with ZipFile(_InPieces(file)) as packed:
            found = _Packed(packed, file.seek(0, io.SEEK_END))
            yield from found.by_table() if found.table else found.alone()
    except (
        BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        zlib.error,
        csv.Error,
        ValueError,
    ) as error:
        raise FileUnreadable(f"This zip cannot be read: {str(error)[:200]}") from None


class _InPieces:
    """A file of which `ZipFile` is given no more at once than the largest directory takes.

    It reads all of a directory before anybody can count it; all else it reads in smaller pieces.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int | None = -1) -> bytes:
        wanted = DIRECTORY_BYTES_MAX + 1 if size is None or size < 0 else min(size, DIRECTORY_BYTES_MAX + 1)
        piece = self._file.read(wanted)
        if len(piece) > DIRECTORY_BYTES_MAX:
            raise ImportTooLarge(TOO_MANY)
        return piece


class _Packed:
    def __init__(self, packed: ZipFile, size: int) -> None:
        entries = [entry for entry in packed.infolist() if not _passed_over(entry)]
        if len(entries) > ENTRIES_MAX:
            raise ImportTooLarge(TOO_MANY)
        for entry in entries:
            _require_plain(entry)
        # No more than this is unpacked of a file, whatever is in it.
        if sum(entry.file_size for entry in entries) > min(UNPACKED_MAX, RATIO_MAX * size):
            raise ImportTooLarge(
                f"A zip may unpack to {UNPACKED_MAX // 1024 // 1024} MiB and to {RATIO_MAX} times its own size;"
                " split it, or send its table without one."
            )
        tables = [entry for entry in entries if entry.filename.lower().endswith(TABLES)]
        if len(tables) > 1:
            raise FileUnreadable("There are several tables in this zip; leave one, which names the files.")
        self._zip = packed
        self.table = tables[0] if tables else None
        self._files = {entry.filename: entry for entry in entries if entry is not self.table}
        # A file may be named without its folder where there is no other of its name.
        short: dict[str, ZipInfo | None] = {}
        for name, entry in self._files.items():
            last = PurePosixPath(name).name
            short[last] = None if last in short else entry
        self._short = {name: entry for name, entry in short.items() if entry is not None}

    def alone(self) -> Iterator[bytes]:
        """A row for each file, in the order of their names."""
        if not self._files:
            raise FileUnreadable("There is nothing in this zip.")
        for name in sorted(self._files):
            yield _line({"name": name, "file": self._data_url(self._files[name])})

    def by_table(self) -> Iterator[bytes]:
        """The rows of the table with the files that they name; a row that cannot be read keeps its place."""
        assert self.table is not None
        with self._zip.open(self.table) as raw:
            if self.table.filename.lower().endswith(".csv"):
                for number, row in enumerate(_records(raw), 1):
                    yield _line(self._filled(number, row)) if row else b"\n"
                return
            for number, line in enumerate(_lines(raw), 1):
                found = _object(line)
                yield line.rstrip(b"\r\n") + b"\n" if found is None else _line(self._filled(number, found))

    def _filled(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        self._row, self._room = number, ROW_BYTES_MAX
        filled: dict[str, Any] = {}
        for name, cell in row.items():
            if name == "data" and isinstance(cell, dict):
                filled[name] = {inner: self._file(value) or value for inner, value in cell.items()}
                continue
            file = self._file(cell)
            filled[name] = file if file and name.startswith("data.") else cell
            if file and not name.startswith("data."):
                filled[COLUMN.format(name)] = file
        return filled

    def _file(self, cell: Any) -> str | None:
        entry = (self._files.get(cell) or self._short.get(cell)) if isinstance(cell, str) else None
        if entry is None:
            return None
        url = self._data_url(entry)
        self._room -= len(url)
        if self._room < 0:
            raise ImportTooLarge(f"Row {self._row} has more than {ROW_BYTES_MAX // 1024} KiB of files.")
        return url

    def _data_url(self, entry: ZipInfo) -> str:
        with self._zip.open(entry) as file:
            body = file.read(FILE_BYTES_MAX + 1)
        if len(body) > FILE_BYTES_MAX:
            raise ImportTooLarge(
                f"{entry.filename[:100]} is larger than {FILE_BYTES_MAX // 1024} KiB, the most for a file in a zip."
                " Put larger ones where they have an address, and import the addresses."
            )
        kind = next(
            (kind for start, behind, kind in KINDS if body.startswith(start) and body[8:12].startswith(behind)), None
        )
        if kind is None:
            raise FileUnreadable(f"{entry.filename[:100]} is no PNG, JPEG, GIF, WebP, WAV, Ogg, MP3 or WebM file.")
        return f"data:{kind};base64,{base64.b64encode(body).decode()}"


def _passed_over(entry: ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    return entry.is_dir() or any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)


def _require_plain(entry: ZipInfo) -> None:
    """Raises `FileUnreadable`. Only what DEFLATE unpacks is unpacked piece by piece."""
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise FileUnreadable(f"{entry.filename[:100]} is packed in an unusual way; make the zip anew, with DEFLATE.")
    if ".." in PurePosixPath(entry.filename).parts or stat.S_ISLNK(entry.external_attr >> 16):
        raise FileUnreadable(f"{entry.filename[:100]} leads elsewhere; leave out links and names with `..`.")


def _lines(raw: IO[bytes]) -> Iterator[bytes]:
    # The zip's own way to read a line up to a limit goes by single steps of 512 bytes.
    file = io.BufferedReader(raw, BLOCK)  # type: ignore[type-var]
    number = 0
    while line := file.readline(ROW_BYTES_MAX + 1):
        number += 1
        if len(line) > ROW_BYTES_MAX:
            raise ImportTooLarge(f"Row {number} is longer than {ROW_BYTES_MAX // 1024} KiB.")
        yield line


def _records(raw: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The rows of a CSV by their columns; cells that hold JSON as what they hold, empty ones left out."""
    lines = Lines(raw)
    reader = csv.reader(lines, strict=True)
    header = next(reader, [])
    if len(header) > COLUMNS_MAX:
        raise FileUnreadable(f"The table has {len(header)} columns; at most {COLUMNS_MAX} are read.")
    if len(set(header)) != len(header):
        raise FileUnreadable("The header of the table names a column twice.")
    for cells in reader:
        lines.begin_row()
        if cells and len(cells) != len(header):
            raise FileUnreadable(f"A row of the table has {len(cells)} cells, its header has {len(header)}.")
        yield {name: _cell(cell) for name, cell in zip(header, cells, strict=False) if cell != ""}


def _cell(text: str) -> Any:
    if text[:1] not in "[{":
        return text
    try:
        return json.loads(text, object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        return text


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line, object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"

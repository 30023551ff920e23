"""Where a writer's files go while a stretch is written: on the disk, packed as the archive will have them."""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b, sha256
from io import RawIOBase
from tempfile import SpooledTemporaryFile, TemporaryFile
from types import TracebackType
from typing import IO, BinaryIO, cast

from marketplace.results.archive import DEFLATED, STORED, Member, local_header

# Files up to this size are packed in memory.
MEMORY_BYTES = 256 * 1024
COPY_BYTES = 1024 * 1024
PATH_BYTES_MAX = 300
# The product's own files are in this folder of every archive.
OWN_FOLDER = "touchstone"
LEVEL = 4


class Packed(RawIOBase):
    """A file that is packed as it is written: `size`, `crc` and `sha256` are of what was written."""

    def __init__(self, target: IO[bytes], *, compress: bool, ends: bool) -> None:
        self._target, self._ends = target, ends
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -15) if compress else None
        self.size = self.packed = self.crc = 0
        self.sha256 = sha256()

    def writable(self) -> bool:
        return True

    def write(self, body: object) -> int:
        """Pack the bytes."""
        view = memoryview(body).cast("B")  # type: ignore[arg-type]
        self.size += len(view)
        self.crc = zlib.crc32(view, self.crc)
        self.sha256.update(view)
        self._put(self._packer.compress(view) if self._packer else view)
        return len(view)

    def finish(self) -> None:
        """Write what is left. Of a file that does not end here the bytes are such that others can follow."""
        if self._packer:
            self._put(self._packer.flush(zlib.Z_FINISH if self._ends else zlib.Z_FULL_FLUSH))

    def _put(self, packed: bytes | memoryview) -> None:
        self.packed += len(packed)
        self._target.write(packed)


class Spool:
    """The `Sink` of one stretch. `whole` holds files as the archive has them, `index` a line about each of them, and
    `grown` the pieces of files that grow. Close it when they were read."""

    def __init__(self) -> None:
        self.whole: IO[bytes] = TemporaryFile()  # noqa: SIM115  (closed by __exit__)
        self.index: IO[bytes] = TemporaryFile()  # noqa: SIM115
        self.grown: dict[str, IO[bytes]] = {}
        self._at = 0
        # Of a million paths only hashes are kept.
        self._known: set[int] = set()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for spooled in (self.whole, self.index, *self.grown.values()):
            spooled.close()

    @contextmanager
    def open(self, path: str, *, compress: bool = True) -> Iterator[BinaryIO]:
        """A new file, which comes into the archive when it is closed."""
        self._claim(path)
        if path in self.grown:
            raise ValueError(f"{path} is a file that grows")
        with SpooledTemporaryFile(MEMORY_BYTES) as body:
            packed = Packed(cast(IO[bytes], body), compress=compress, ends=True)
            yield cast(BinaryIO, packed)
            packed.finish()
            member = Member(path, DEFLATED if compress else STORED, packed.crc, packed.packed, packed.size)
            header = local_header(member)
            self.whole.write(header)
            body.seek(0)
            while piece := body.read(COPY_BYTES):
                self.whole.write(piece)
        line = [path, member.method, member.crc, member.packed, member.size, self._at, packed.sha256.hexdigest()]
        self.index.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._at += len(header) + member.packed

    @contextmanager
    def append(self, path: str) -> Iterator[BinaryIO]:
        """The end of a file that grows."""
        if path not in self.grown:
            self._claim(path)
            self.grown[path] = TemporaryFile()  # noqa: SIM115
        packed = Packed(self.grown[path], compress=True, ends=False)
        yield cast(BinaryIO, packed)
        packed.finish()

    def _claim(self, path: str) -> None:
        check_path(path)
        mark = int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "big")
        if mark in self._known:
            raise ValueError(f"{path} was written before")
        self._known.add(mark)


def check_path(path: str) -> None:
    """Raise `ValueError` for a path that an archive should not have: absolute, upwards, or odd on some system."""
    folders = path.split("/")
    if len(path.encode()) > PATH_BYTES_MAX:
        raise ValueError(f"a path has at most {PATH_BYTES_MAX} bytes")
    if any(folder in ("", ".", "..") for folder in folders) or any(c in '\\:*?"<>|' or c < " " for c in path):
        raise ValueError(f"{path!r} is not a plain relative path")
    if folders[0] == OWN_FOLDER:
        raise ValueError(f"the folder {OWN_FOLDER} is not the writer's")

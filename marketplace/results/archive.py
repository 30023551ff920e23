"""The pieces of a zip archive, which are the same bytes for the same files: no clock, no owner, no order of a machine.

The form is that of PKWARE's APPNOTE 6.3.3, 4.3: with the fields of zip64 where a size or a place needs them.
"""

import struct
from dataclasses import dataclass

STORED, DEFLATED = 0, 8
# 1 January 1980, the first day that the format knows.
DATE, TIME = 0x21, 0
UTF8_NAMES = 1 << 11
READABLE = 0o100644 << 16
BIG = 0xFFFFFFFF
MANY = 0xFFFF
VERSION, VERSION_64 = 20, 45
UNIX = 3


@dataclass(frozen=True)
class Member:
    """A file of the archive: CRC-32 and size of what it holds, and the size of its bytes in the archive."""

    path: str
    method: int
    crc: int
    packed: int
    size: int


def local_header(member: Member) -> bytes:
    """What comes before the bytes of a file."""
    name = member.path.encode()
    extra = b""
    packed, size, version = member.packed, member.size, VERSION
    if packed >= BIG or size >= BIG:
        extra = struct.pack("<HHQQ", 1, 16, size, packed)
        packed, size, version = BIG, BIG, VERSION_64
    fixed = struct.pack(
        "<4sHHHHHLLLHH",
        *(b"PK\3\4", version, UTF8_NAMES, member.method, TIME, DATE, member.crc, packed, size, len(name), len(extra)),
    )
    return fixed + name + extra


def directory_entry(member: Member, at: int) -> bytes:
    """What the directory at the end says of a file whose header begins `at` this byte."""
    name = member.path.encode()
    wide = [number for number in (member.size, member.packed, at) if number >= BIG]
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    version = VERSION_64 if wide else VERSION
    fixed = struct.pack(
        "<4sHHHHHHLLLHHHHHLL",
        *(b"PK\1\2", UNIX << 8 | version, version, UTF8_NAMES, member.method, TIME, DATE, member.crc),
        *(min(member.packed, BIG), min(member.size, BIG), len(name), len(extra), 0, 0, 0, READABLE, min(at, BIG)),
    )
    return fixed + name + extra


def directory_end(count: int, size: int, at: int) -> bytes:
    """The end of an archive whose directory has `count` entries in `size` bytes from `at` on."""
    end = b""
    if count >= MANY or size >= BIG or at >= BIG:
        end = struct.pack(
            "<4sQHHLLQQQQ", b"PK\6\6", 44, UNIX << 8 | VERSION_64, VERSION_64, 0, 0, count, count, size, at
        )
        end += struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1)
    few = min(count, MANY)
    return end + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, few, few, min(size, BIG), min(at, BIG), 0)

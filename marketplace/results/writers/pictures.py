"""The picture of an item: its name in the export, its size, and its bytes where the data carries them."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from marketplace.projects.answer_types.parts import Mask
from marketplace.results.writers.base import Item, Items, Sink, Writer
from marketplace.results.writers.said import FIELDS_OPTION, pictures_of

NAME_MAX = 200
EXTENSIONS = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
TYPES = {"data:image/png": ".png", "data:image/jpeg": ".jpg", "data:image/gif": ".gif", "data:image/webp": ".webp"}


@dataclass(frozen=True)
class Picture:
    """stem     name without extension, of its own for each item and fit for any file system
    extension   with its dot; .jpg where nothing tells
    url         where the picture is, or empty where the data carries it
    body        its bytes where the data carries them
    size        height and width, or None where nothing tells"""

    stem: str
    extension: str
    url: str = ""
    body: bytes = b""
    size: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return self.stem + self.extension


class Pictures:
    """The pictures of a data set's items; ask for them in the order of the items."""

    def __init__(self, items: Items, writer: Writer, options: Mapping[str, Any]) -> None:
        about = pictures_of(items.answer, options[FIELDS_OPTION], writer.needs, items.data)
        self._shown = about or [field["name"] for field in items.data if field["type"] == "image"]
        self._declared = next(
            ((field["height"], field["width"]) for field in items.answer if {"height", "width"} <= set(field)), None
        )
        self._usual: str | None = None

    def of(self, item: Item) -> Picture:
        """The image that the answer fields are about, else the item's first; its size is that of its masks, or of its
        bytes, or what an answer field declares."""
        value = str(next((item.data[name] for name in self._shown if item.data.get(name)), ""))
        body = _carried(value)
        parts = (part for parts in item.parts.values() for part in parts)
        masks = ((part.height, part.width) for part in parts if isinstance(part, Mask))
        size = next(masks, None) or picture_size(body) or self._declared
        return Picture(
            self._stem(item.external_id), _extension(value, item.external_id), "" if body else value, body, size
        )

    def _stem(self, external_id: str) -> str:
        """Ids that end as the first one does, in .jpg say, lose that end; so that no two items get one name, all others
        keep theirs with a mark, which no id has by itself."""
        ending = PurePosixPath(external_id).suffix
        ending = ending if ending.lower() in EXTENSIONS else ""
        if self._usual is None:
            self._usual = ending
        if ending == self._usual:
            return file_stem(external_id.removesuffix(ending))
        kept = file_stem(external_id.removesuffix(ending))
        return f"{kept}%2E{ending[1:]}" if ending else f"{kept}%2E"


def size_for(item: Item, field: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of the picture or film that an answer field is about; None where nothing tells."""
    masks = ((part.height, part.width) for part in item.parts.get(field["name"], ()) if isinstance(part, Mask))
    declared = (field["height"], field["width"]) if {"height", "width"} <= set(field) else None
    return next(masks, None) or picture_size(_carried(str(item.data.get(field.get("of", ""), "")))) or declared


def write_body(out: Sink, folder: str, picture: Picture) -> None:
    """The picture's file in the folder, where the data carries its bytes."""
    if picture.body:
        with out.open(f"{folder}/{picture.name}", compress=False) as file:
            file.write(picture.body)


def file_stem(external_id: str) -> str:
    """A file name that no other id has, of letters, digits, spaces and `-_.~%`; long ones end with a hash."""
    safe = quote(external_id, safe=" ")
    if safe.startswith((".", " ")):
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    if safe.endswith((".", " ")):
        safe = f"{safe[:-1]}%{ord(safe[-1]):02X}"
    if len(safe) > NAME_MAX:
        safe = f"{safe[: NAME_MAX - 33]}-{hashlib.sha256(external_id.encode()).hexdigest()[:32]}"
    return safe


def picture_size(body: bytes) -> tuple[int, int] | None:
    """Height and width that the head of a PNG, GIF, JPEG or WebP file says; None where it says none."""
    if body[:8] == b"\x89PNG\r\n\x1a\n" and len(body) >= 24:
        width, height = struct.unpack(">II", body[16:24])
    elif body[:4] == b"GIF8" and len(body) >= 10:
        width, height = struct.unpack("<HH", body[6:10])
    elif body[:2] == b"\xff\xd8":
        height, width = _jpeg_size(body)
    elif body[:4] == b"RIFF" and body[8:12] == b"WEBP" and len(body) >= 30:
        height, width = _webp_size(body)
    else:
        return None
    return (height, width) if height and width else None


def _jpeg_size(body: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(body) and body[at] == 0xFF:
        kind, length = body[at + 1], int.from_bytes(body[at + 2 : at + 4])
        # Frames: all markers from C0 on but for tables and what is reserved.
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", body[at + 5 : at + 9])
            return height, width
        at += 2 + length
    return 0, 0


def _webp_size(body: bytes) -> tuple[int, int]:
    kind = body[12:16]
    if kind == b"VP8X":
        return int.from_bytes(body[27:30], "little") + 1, int.from_bytes(body[24:27], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[26:30])
        return height & 0x3FFF, width & 0x3FFF
    return 0, 0


def _carried(value: str) -> bytes:
    """The bytes of a data URL; none for other URLs."""
    head, _, packed = value.partition(";base64,")
    if head.lower() not in TYPES:
        return b""
    try:
        return base64.b64decode(packed, validate=True)
    except binascii.Error:
        return b""


def _extension(value: str, external_id: str) -> str:
    if found := TYPES.get(value.partition(";")[0].lower()):
        return found
    for path in (urlsplit(value).path, external_id):
        if _is_picture(path):
            return PurePosixPath(path).suffix.lower()
    return ".jpg"


def _is_picture(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in EXTENSIONS

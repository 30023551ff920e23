"""Small images as PNG data: URIs, with zlib and struct alone."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

Pixels = Sequence[Sequence[int]]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR = 0, 2


def upscale(pixels: Pixels, factor: int) -> list[list[int]]:
    """Each pixel as a square of `factor` by `factor`."""
    wide = [[value for value in row for _ in range(factor)] for row in pixels]
    return [list(row) for row in wide for _ in range(factor)]


def encode(pixels: Pixels) -> bytes:
    """An 8-bit greyscale PNG of rows of equal length with values 0 (black) to 255 (white)."""
    width = len(pixels[0])
    if any(len(row) != width for row in pixels):
        raise ValueError("All rows of an image have the same length.")
    return _encoded(width, b"".join(b"\x00" + bytes(row) for row in pixels), len(pixels), GREY)


def encode_colour(pixels: bytes, width: int) -> bytes:
    """An 8-bit PNG of the pixels of `width` wide rows, red, green and blue of each."""
    step = 3 * width
    if not pixels or len(pixels) % step:
        raise ValueError("All rows of an image have the same length.")
    rows = [pixels[start : start + step] for start in range(0, len(pixels), step)]
    return _encoded(width, b"".join(b"\x00" + row for row in rows), len(rows), COLOUR)


def data_uri(pixels: Pixels) -> str:
    """The image as a `data:image/png;base64,…` address."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode("ascii")


def colour_data_uri(pixels: bytes, width: int) -> str:
    """The image in colour as such an address."""
    return "data:image/png;base64," + base64.b64encode(encode_colour(pixels, width)).decode("ascii")


def _encoded(width: int, scanlines: bytes, height: int, kind: int) -> bytes:
    # Each row says which filter it went through; 0 is none, for equal rows compress well as they are.
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(scanlines, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

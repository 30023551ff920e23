"""Small greyscale images as PNG data: URIs, with zlib and struct alone."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

Pixels = Sequence[Sequence[int]]

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def upscale(pixels: Pixels, factor: int) -> list[list[int]]:
    """Each pixel as a square of `factor` by `factor`."""
    wide = [[value for value in row for _ in range(factor)] for row in pixels]
    return [list(row) for row in wide for _ in range(factor)]


def encode(pixels: Pixels) -> bytes:
    """An 8-bit greyscale PNG of rows of equal length with values 0 (black) to 255 (white)."""
    width = len(pixels[0])
    if any(len(row) != width for row in pixels):
        raise ValueError("All rows of an image have the same length.")
    header = struct.pack(">IIBBBBB", width, len(pixels), 8, 0, 0, 0, 0)
    scanlines = b"".join(b"\x00" + bytes(row) for row in pixels)  # 0: no filter; equal rows compress well as they are
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(scanlines, 9)) + _chunk(b"IEND", b"")


def data_uri(pixels: Pixels) -> str:
    """The image as a `data:image/png;base64,…` address."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

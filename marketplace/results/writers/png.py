"""Writes PNG pictures of labels: of one number a pixel with a palette, or of three colours. No picture library needed.

Source: Portable Network Graphics, third edition, W3C 2025. The same pixels give the same bytes as long as zlib is the
same.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, TRUE_COLOR, PALETTE = 0, 2, 3
LEVEL = 6


def palette_png(pixels: NDArray[np.uint8], colors: Sequence[Color]) -> bytes:
    """A picture whose pixels are places in a palette of at most 256 colours; (height, width) of uint8.

    Raises ValueError where a pixel is beyond the palette: readers would refuse the file.
    """
    if not 1 <= len(colors) <= 256:
        raise ValueError("a palette has 1 to 256 colours")
    if pixels.size and int(pixels.max()) >= len(colors):
        raise ValueError("a pixel is beyond the palette")
    flat = bytes(part for color in colors for part in color)
    return _png(pixels, PALETTE, 8, [(b"PLTE", flat)])


def grey_png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """A picture of one number a pixel; (height, width) of uint8, or of uint16 for 16 bits a pixel."""
    depth = 16 if pixels.dtype == np.uint16 else 8
    return _png(pixels.astype(">u2") if depth == 16 else pixels.astype(np.uint8), GREY, depth, [])


def color_png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture of red, green and blue; (height, width, 3) of uint8."""
    return _png(pixels, TRUE_COLOR, 8, [])


def label_colors(count: int) -> list[Color]:
    """Colours that tell numbers apart: those of Pascal VOC, black for 0. The bits of the number, from the lowest on,
    become by turns the highest bits of red, green and blue. Source: `VOClabelcolormap` of the development kit of 2012.
    """
    return [_label_color(number) for number in range(count)]


def _label_color(number: int) -> Color:
    color = [0, 0, 0]
    for bit in range(7, -1, -1):
        for part in range(3):
            color[part] |= (number >> part & 1) << bit
        number >>= 3
    return color[0], color[1], color[2]


def _png(pixels: NDArray[np.generic], kind: int, depth: int, chunks: list[tuple[bytes, bytes]]) -> bytes:
    height, width = pixels.shape[:2]
    if not height or not width:
        raise ValueError("a picture has at least one pixel")
    rows = np.ascontiguousarray(pixels).reshape(height, -1).view(np.uint8)
    # Each row begins with its filter; labels pack best without one.
    raw = np.zeros((height, rows.shape[1] + 1), dtype=np.uint8)
    raw[:, 1:] = rows
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    packed = zlib.compress(raw.tobytes(), LEVEL)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", packed), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(name, body) for name, body in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

"""The PNG writer."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest

from tests.crowd.png import SIGNATURE, data_uri, encode, encode_colour, upscale


def decode(content: bytes) -> list[list[int]]:
    """A reader of its own, by the letter of the standard, for 8-bit grey without filters."""
    assert content.startswith(SIGNATURE)
    chunks: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert struct.unpack(">I", content[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 0, 0, 0, 0]
    lines = zlib.decompress(chunks[b"IDAT"])
    assert len(lines) == height * (width + 1)
    rows = [lines[start : start + width + 1] for start in range(0, len(lines), width + 1)]
    assert all(row[0] == 0 for row in rows)
    return [list(row[1:]) for row in rows]


def test_what_is_written_can_be_read() -> None:
    pixels = [[0, 128, 255], [1, 2, 3]]
    assert decode(encode(pixels)) == pixels


def test_the_data_uri_holds_the_image() -> None:
    uri = data_uri([[7]])
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    assert decode(base64.b64decode(content)) == [[7]]


def test_upscaling_repeats_each_pixel() -> None:
    assert upscale([[1, 2]], 2) == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_an_enlarged_digit_stays_small() -> None:
    assert len(data_uri(upscale([[(x * y) % 256 for x in range(8)] for y in range(8)], 8))) < 1000


def test_ragged_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        encode([[1, 2], [3]])


def test_colours_are_kept() -> None:
    encoded = encode_colour(bytes([255, 0, 0, 0, 255, 0]), 1)

    assert encoded[16:26] == struct.pack(">IIBB", 1, 2, 8, 2)
    size = struct.unpack(">I", encoded[33:37])[0]
    assert zlib.decompress(encoded[41 : 41 + size]) == bytes([0, 255, 0, 0, 0, 0, 255, 0])


def test_rows_in_colour_must_be_of_one_length() -> None:
    with pytest.raises(ValueError, match="same length"):
        encode_colour(bytes(7), 1)

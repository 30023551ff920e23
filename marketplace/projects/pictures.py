"""How large a picture says it is, read from its first bytes: a small file can fill a browser (R32). Pure."""

import struct

PIXELS_MAX = 50_000_000
# Frames of JPEG that say the size; those between them are huffman tables and arithmetic conditioning.
JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size_of(body: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, JPEG or WebP; None where it is none of them, or ends before it says."""
    try:
        if body.startswith(b"\x89PNG\r\n\x1a\n") and body[12:16] == b"IHDR":
            return struct.unpack(">II", body[16:24])  # type: ignore[return-value]
        if body[:6] in (b"GIF87a", b"GIF89a"):
            return struct.unpack("<HH", body[6:10])  # type: ignore[return-value]
        if body.startswith(b"\xff\xd8"):
            return _of_jpeg(body)
        if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
            return _of_webp(body)
    except (struct.error, IndexError):
        pass
    return None


def _of_jpeg(body: bytes) -> tuple[int, int] | None:
    at = 2
    while body[at] == 0xFF:
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack(">H", body[at + 2 : at + 4])
        if marker in JPEG_SIZES:
            height, width = struct.unpack(">HH", body[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


def _of_webp(body: bytes) -> tuple[int, int] | None:
    kind = body[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[24:27], "little"), 1 + int.from_bytes(body[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", body[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None

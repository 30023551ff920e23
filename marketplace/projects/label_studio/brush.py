"""Masks as Label Studio's brush keeps them: run lengths of the bytes of a picture in red, green, blue and alpha.

A stream of bits: 32 for the number of values, 5 for their width less 1, four times 4 for the widths of lengths less 1.
Then packets: 1 bit that says whether one value is repeated, 2 that choose the width of the length, the length less 1,
and the value, or as many values. Source: the package rle-pack of thi.ng/umbrella, whose format Label Studio uses.
"""

import numpy as np
from numpy.typing import NDArray

CHANNELS = 4
WORD = 8
LENGTHS = (4, 8, 12, 16)
PIXELS_MAX = 2**26


def packed(pixels: NDArray[np.bool_]) -> list[int]:
    """The bytes of a mask, (height, width)."""
    line = np.repeat(pixels.ravel(), CHANNELS)
    edges = np.concatenate(([0], np.flatnonzero(np.diff(line)) + 1, [line.size]))
    bits = [f"{line.size:032b}", f"{WORD - 1:05b}", *(f"{width - 1:04b}" for width in LENGTHS)]
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        value = f"{255 if line[start] else 0:08b}"
        left = end - start
        while left:
            length = min(left, 2 ** LENGTHS[-1])
            choice = next(at for at, width in enumerate(LENGTHS) if length <= 2**width)
            bits.append(f"1{choice:02b}{length - 1:0{LENGTHS[choice]}b}{value}")
            left -= length
    stream = "".join(bits)
    stream += "0" * (-len(stream) % 8)
    return list(int(stream, 2).to_bytes(len(stream) // 8))


def unpacked(data: object, height: int, width: int) -> NDArray[np.bool_]:
    """The mask of a picture, (height, width): where alpha is above 0. Raises ValueError for anything that is no such
    stream, or one of a picture of another size."""
    if not isinstance(data, list) or not all(isinstance(part, int) and 0 <= part <= 255 for part in data):
        raise ValueError("must be a list of bytes")
    size = height * width * CHANNELS
    if not 0 < height * width <= PIXELS_MAX:
        raise ValueError(f"must be of a picture of at most {PIXELS_MAX} pixels")
    bits = np.unpackbits(np.array(data, dtype=np.uint8))
    reader = _Bits(bits)
    if reader.read(32) != size:
        raise ValueError("is of a picture of another size than it says")
    word = reader.read(5) + 1
    if word != WORD:
        raise ValueError("must have values of 8 bits")
    widths = [reader.read(4) + 1 for _ in LENGTHS]
    values = np.zeros(size, dtype=np.uint8)
    at = 0
    while at < size:
        repeated = reader.read(1)
        length = reader.read(widths[reader.read(2)]) + 1
        if at + length > size:
            raise ValueError("has more values than it says")
        values[at : at + length] = reader.read(WORD) if repeated else reader.bytes(length)
        at += length
    return values.reshape(height, width, CHANNELS)[:, :, CHANNELS - 1] > 0


class _Bits:
    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = bits
        self._at = 0

    def _next(self, count: int) -> NDArray[np.uint8]:
        found = self._bits[self._at : self._at + count]
        if len(found) < count:
            raise ValueError("ends too early")
        self._at += count
        return found

    def read(self, count: int) -> int:
        number = 0
        for bit in self._next(count).tolist():
            number = number << 1 | bit
        return number

    def bytes(self, count: int) -> NDArray[np.uint8]:
        return np.packbits(self._next(count * WORD))

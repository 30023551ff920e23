"""The elements of a JSON array as rows of an import, one at a time, however long the array is."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from marketplace.batches.rows import BLOCK, BYTE_ORDER_MARK, ROW_BYTES_MAX, Cursor, Row, row_of

SPACES = re.compile(rb"[ \t\r\n]+")
# Whole strings, so that brackets within them do not count; a quote that none of them begins with is of one cut off.
# Nothing is given back once it matched: a text without an end takes no longer than another.
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)


def read_json_array(body: BinaryIO, at: Cursor | None = None) -> Iterator[Row]:
    """Each object of an array as a row, numbered from 1. Never raises for content: what is no JSON becomes a bad row.

    An object that is wrong within does not hide the others. Behind what ends nowhere, is no object or is longer than
    `ROW_BYTES_MAX`, nothing more is read, and the last row says so. `body` begins where `at` says: at the beginning,
    behind an object, or at the end.
    """
    at = at or Cursor()
    reader = _Reader(body)
    try:
        if at.offset == 0:
            reader.pass_mark()
            reader.expect(b"[", "the file is not a JSON array")
            reader.pass_space()
            if reader.peek() == b"]":
                reader.finish()
                at.offset = reader.taken
                return
        elif reader.peek() == b"":
            return
        else:
            reader.expect(b",", "the elements of the array are not separated by commas")
        begun = at.offset
        while True:
            element = reader.element()
            reader.pass_space()
            last = reader.peek() == b"]"
            if last:
                reader.finish()
            elif reader.peek() != b",":
                raise _Broken("the array does not go on with a comma, nor does it end")
            at.row += 1
            # At the comma, or at the end: whoever goes on there knows which.
            at.offset = begun + reader.taken
            yield row_of(at.row, element)
            if last:
                return
            reader.expect(b",", "")
    except _Broken as broken:
        yield Row(at.row + 1, {}, str(broken))


class _Broken(Exception):
    """The array cannot be read on from here."""


class _Reader:
    """A body from here on; holds one element and one block. `taken` is how many bytes were passed."""

    def __init__(self, body: BinaryIO) -> None:
        self._body = body
        self._buffer = b""
        self._at = 0
        self._before = 0

    @property
    def taken(self) -> int:
        return self._before + self._at

    def _more(self) -> bool:
        """Read on; as much again as there is, so that what is looked at anew adds up to twice the whole."""
        self._buffer = self._buffer[self._at :]
        self._before += self._at
        self._at = 0
        found = self._body.read(max(BLOCK, len(self._buffer)))
        self._buffer += found
        return bool(found)

    def peek(self) -> bytes:
        """The next byte; none at the end."""
        if self._at == len(self._buffer):
            self._more()
        return self._buffer[self._at : self._at + 1]

    def pass_mark(self) -> None:
        self.peek()
        if self._buffer.startswith(BYTE_ORDER_MARK):
            self._at += len(BYTE_ORDER_MARK)

    def pass_space(self) -> None:
        while self.peek() and (spaces := SPACES.match(self._buffer, self._at)):
            self._at = spaces.end()

    def expect(self, wanted: bytes, otherwise: str) -> None:
        self.pass_space()
        if self.peek() != wanted:
            raise _Broken(otherwise)
        self._at += 1

    def finish(self) -> None:
        """Pass the array's end, behind which there is space only."""
        self.expect(b"]", "")
        self.pass_space()
        if self.peek():
            raise _Broken("there is something behind the array")

    def element(self) -> bytes:
        """The bytes of the object that begins here."""
        self.pass_space()
        if self.peek() != b"{":
            raise _Broken("is not a JSON object; nothing behind it was read")
        while True:
            depth = 0
            for token in TOKEN.finditer(self._buffer, self._at):
                mark = token[0]
                if mark in (b"{", b"["):
                    depth += 1
                elif mark in (b"}", b"]"):
                    depth -= 1
                elif mark == b'"':
                    break
                if depth == 0:
                    found = self._buffer[self._at : token.end()]
                    if len(found) > ROW_BYTES_MAX:
                        raise _Broken(f"is longer than {ROW_BYTES_MAX} bytes; nothing behind it was read")
                    self._at = token.end()
                    return found
            if len(self._buffer) - self._at > ROW_BYTES_MAX:
                raise _Broken(f"is longer than {ROW_BYTES_MAX} bytes; nothing behind it was read")
            if not self._more():
                raise _Broken("the file ends within this element")

"""JSON arrays read one element at a time."""

import io
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.batches.json_array import read_json_array
from marketplace.batches.rows import ROW_BYTES_MAX, Cursor

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def read(body: bytes, at: Cursor | None = None) -> list[tuple[int, Any]]:
    return [(row.number, row.problem or row.fields) for row in read_json_array(io.BytesIO(body), at)]


class Dripping(io.BytesIO):
    """Gives at most three bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(3)


@given(st.lists(st.dictionaries(st.text(max_size=5), PLAIN, max_size=3), max_size=5), st.sampled_from([None, 1]))
def test_what_was_written_is_read_and_from_behind_each_element_again(found: list[Any], indent: int | None) -> None:
    body = b"\xef\xbb\xbf " + json.dumps(found, ensure_ascii=False, indent=indent).encode() + b" \n"
    wanted = list(enumerate(found, 1))
    cursor, ends = Cursor(), [Cursor()]
    for _ in read_json_array(Dripping(body), cursor):
        ends.append(cursor.copy())

    assert read(body) == wanted
    for end in ends:
        assert read(body[end.offset :], end.copy()) == wanted[end.row :]
    assert cursor == Cursor(len(body), len(found))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a JSON array"),
        (b'{"a": 1}', "not a JSON array"),
        (b"[", "is not a JSON object"),
        (b"[1]", "is not a JSON object"),
        (b'[{"a": "]}"', "ends within"),
        (b'[{"a": "', "ends within"),
        (b'[{"a": 1},', "is not a JSON object"),
        (b'[{"a": 1} {"a": 2}]', "does not go on"),
        (b'[{"a": 1}] x', "behind the array"),
        (b'[{"a": 1]]', "is not JSON"),
        (b'[{"a": NaN}]', "is not JSON"),
        (b'[{"a": "\xff"}]', "is not JSON"),
    ],
)
def test_what_is_no_array_of_objects_is_named(body: bytes, words: str) -> None:
    number, problem = read(body)[-1]
    assert words in problem
    assert number == (2 if body == b'[{"a": 1},' else 1)


def test_an_array_cut_off_behind_an_element_is_no_array_whoever_goes_on_there() -> None:
    body = b'[{"a": 1},{"a": 2},'
    cursor = Cursor()
    rows = list(read_json_array(io.BytesIO(body), cursor))
    assert [row.problem for row in rows][:2] == ["", ""]
    assert rows[2].problem
    assert cursor.offset < len(body)
    assert read(body[cursor.offset :], cursor)[0][0] == 3


def test_an_element_that_is_wrong_within_does_not_hide_the_others() -> None:
    found = read(b'[{"a": 1}, {"a" 2}, {"a": 3}]')
    assert [found[0], found[2]] == [(1, {"a": 1}), (3, {"a": 3})]
    assert "is not JSON" in found[1][1]


def test_an_element_without_an_end_is_refused_fast() -> None:
    begun = time.monotonic()
    for body in (b'[{"a": "' + b"x" * 2**23, b'[{"a": "' + b'\\"' * 2**22, b"[" + b'{"a":[' * 2**20):
        assert read(body)[-1][1].startswith("is longer than")
    assert read(b'[{"a": "' + b"x" * ROW_BYTES_MAX + b'"}]')[-1][1].startswith("is longer than")
    assert "ot JSON" in read(b'[{"a":' + b"[" * 400_000 + b"]" * 400_000 + b"}]")[0][1]
    assert time.monotonic() - begun < 30

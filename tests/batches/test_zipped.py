"""Zips of small media: with a table that names the files, or by themselves; and what is refused of them."""

import base64
import io
import json
from random import randbytes
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from marketplace.batches import zipped
from marketplace.batches.errors import FileUnreadable, ImportTooLarge
from marketplace.batches.previews import suggested
from marketplace.batches.zipped import FILE_BYTES_MAX, zip_lines
from marketplace.projects.interface import clean_data

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
WAV = b"RIFF\0\0\0\0WAVE" + b"\0" * 20
URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
PICTURES = {"data": [{"name": "picture", "type": "image", "required": True}], "answer": []}


def packed(files: dict[str, bytes]) -> io.BytesIO:
    """A zip of files."""
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as made:
        for name, body in files.items():
            made.writestr(name, body)
    out.seek(0)
    return out


def rows(files: dict[str, bytes]) -> list[Any]:
    return [json.loads(line) if line.strip() else None for line in zip_lines(packed(files))]


def test_files_alone_are_a_row_each_by_their_names() -> None:
    found = rows({"b.png": PNG, "sounds/a.wav": WAV, "__MACOSX/b.png": b"x", ".hidden": b"x"})
    assert [row["name"] for row in found] == ["b.png", "sounds/a.wav"]
    assert found[0]["file"] == URL
    assert found[1]["file"].startswith("data:audio/wav;base64,")
    assert clean_data(PICTURES, {"picture": found[0]["file"]}) == {"picture": URL}


def test_a_table_names_files_by_their_whole_name_or_the_last_part_of_it() -> None:
    table = b"id,picture,note\n1,one.png,a\n\n2,pictures/two.png,\n3,https://example.org/3.png,c\n"
    found = rows({"items.csv": table, "pictures/one.png": PNG, "pictures/two.png": PNG})
    assert found == [
        {"id": "1", "picture": "one.png", "picture (file)": URL, "note": "a"},
        None,
        {"id": "2", "picture": "pictures/two.png", "picture (file)": URL},
        {"id": "3", "picture": "https://example.org/3.png", "note": "c"},
    ]


def test_a_column_of_data_holds_the_file_itself_so_that_no_mapping_is_needed() -> None:
    assert rows({"a.csv": b"external_id,data.picture\n1,p.png\n", "p.png": PNG}) == [
        {"external_id": "1", "data.picture": URL}
    ]
    line = b'{"external_id": "1", "data": {"picture": "p.png"}}\nnot json\n'
    first, second = list(zip_lines(packed({"a.jsonl": line, "p.png": PNG})))
    assert json.loads(first) == {"external_id": "1", "data": {"picture": URL}}
    assert second == b"not json\n"


def test_cells_that_hold_json_are_what_they_hold() -> None:
    assert rows({"a.csv": b'id,boxes\n1,"[1, 2]"\n2,[sic]\n'}) == [
        {"id": "1", "boxes": [1, 2]},
        {"id": "2", "boxes": "[sic]"},
    ]


def test_what_two_readers_may_see_otherwise_is_handed_on_as_it_is() -> None:
    """The reader of rows says what is wrong with it."""
    line = b'{"id": "1", "id": "2"}\n'
    assert list(zip_lines(packed({"a.jsonl": line}))) == [line]
    assert rows({"a.csv": b'id,box\n1,"{""x"": 1, ""x"": 2}"\n'}) == [{"id": "1", "box": '{"x": 1, "x": 2}'}]


def test_the_column_of_a_file_is_guessed() -> None:
    assert suggested(PICTURES, ["id", "picture", "picture (file)"]) == {
        "external_id": "id",
        "data.picture": "picture (file)",
    }
    assert suggested(PICTURES, ["name", "file"]) == {"external_id": "name", "data.picture": "file"}
    assert suggested(PICTURES, ["id", "path", "path (file)"])["data.picture"] == "path (file)"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.csv": b"id\n1\n", "b.csv": b"id\n1\n"}, "several tables"),
        ({"run.exe": b"MZ"}, "is no PNG"),
        ({"drawing.svg": b"<svg onload='x()'/>"}, "is no PNG"),
        ({"page.png": b"<html>"}, "is no PNG"),
        ({"../page.png": PNG}, "leads elsewhere"),
        ({"a.csv": b"id,x\n1\n"}, "has 1 cells"),
        ({"a.csv": b"id\n\xff\n"}, "cannot be read"),
        ({"a.csv": b"id,id\n1,2\n"}, "names a column twice"),
        ({}, "nothing in this zip"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(files: dict[str, bytes], why: str) -> None:
    with pytest.raises(FileUnreadable, match=why):
        rows(files)


def test_a_file_that_is_too_large_is_named_and_never_read_beyond_the_limit() -> None:
    with pytest.raises(ImportTooLarge, match=r"big\.png is larger than 47 KiB"):
        rows({"big.png": PNG + randbytes(5_000_000)})
    (right,) = rows({"right.png": PNG + randbytes(FILE_BYTES_MAX - len(PNG))})
    largest = right["file"]
    assert clean_data(PICTURES, {"picture": largest}) == {"picture": largest}


def test_too_many_files_and_broken_zips_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed({"a.png": PNG, "b.png": PNG}).getvalue()
    # A byte within the first file, behind its header and name.
    changed = whole[:40] + bytes([whole[40] ^ 255]) + whole[41:]
    for broken in (b"PK\x03\x04 and nothing else", whole[:40], whole[:-30], changed):
        with pytest.raises(FileUnreadable):
            list(zip_lines(io.BytesIO(broken)))
    monkeypatch.setattr(zipped, "ENTRIES_MAX", 1)
    with pytest.raises(ImportTooLarge):
        list(zip_lines(io.BytesIO(whole)))

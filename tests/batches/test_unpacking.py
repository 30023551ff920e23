"""Files that unpack to more than a process can hold: refused in words, with little memory, before anything is kept."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from marketplace.batches import parquet
from marketplace.batches.errors import FileUnreadable, ImportTooLarge
from marketplace.batches.parquet import parquet_lines
from marketplace.batches.rows import COLUMNS_MAX, ROW_BYTES_MAX, read_csv
from marketplace.batches.zipped import ENTRIES_MAX, zip_lines
from tests.contracts.bombs import (
    MIB,
    named_often,
    of_nothing,
    one_line,
    one_row_of_lines,
    one_value_often,
    overlapping,
    parquet_of,
    picture,
    said_otherwise,
    zip_beside,
    zipped,
)

ROOT = Path(__file__).parents[2]
# Reads a file in a process that is allowed so much more memory than it has, and tells what came of it.
ALONE = """
import json, resource, sys
from marketplace.batches.parquet import parquet_lines
from marketplace.batches.zipped import zip_lines

def mib(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith(name))

lines_of = {"zip": zip_lines, "parquet": parquet_lines}[sys.argv[1]]
begun = mib("VmRSS:")
resource.setrlimit(resource.RLIMIT_AS, ((mib("VmSize:") + int(sys.argv[3])) * 1024 * 1024,) * 2)
rows, error = 0, None
try:
    with open(sys.argv[2], "rb") as file:
        for line in lines_of(file):
            rows += 1
except BaseException as found:
    error = found
print(json.dumps({
    "rows": rows, "error": type(error).__name__, "why": str(error), "grew_mib": mib("VmHWM:") - begun,
    "reader_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
}))
"""
WIDE = ",".join(f"c{number}" for number in range(COLUMNS_MAX + 1)).encode() + b"\nx\n"
ZIPS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "a line of 400 MiB": (lambda: one_line("items.jsonl", b"\0", 400), "ImportTooLarge", "Row 1 is longer than 1024"),
    "a line of 400 MiB of a CSV": (lambda: one_line("a.csv", b"x", 400), "FileUnreadable", "a line is longer than"),
    "one row of many lines": (
        lambda: zip_beside("a.csv", [one_row_of_lines(40)]), "FileUnreadable", "a row is longer than",
    ),
    "many columns": (lambda: zip_beside("a.csv", [WIDE]), "FileUnreadable", "has 206 columns; at most 205"),
    "a picture named 60,000 times": (lambda: named_often(60_000), "ImportTooLarge", "Row 1 has more than 1024 KiB"),
    "400,000 files said to be one": (lambda: overlapping(400_000, said=1), "ImportTooLarge", "at most 1,000 files"),
    "64 MiB of nothing": (lambda: zipped("a.png", b"\0" * 64 * MIB), "ImportTooLarge", "100 times its own size"),
    "more than 500 MiB": (
        lambda: said_otherwise(one_line("a.jsonl", b"\0", 400), size=501 * MIB), "ImportTooLarge", "unpack to 500 MiB",
    ),
    "more than is said": (
        lambda: said_otherwise(zipped("a.png", b"\0" * 20 * MIB), size=10_000), "FileUnreadable", "cannot be read",
    ),
    "bzip2": (
        lambda: said_otherwise(zipped("a.png", b"\0" * 128 * MIB, zipfile.ZIP_BZIP2), size=10), "FileUnreadable",
        "packed in an unusual way",
    ),
    "LZMA": (
        lambda: said_otherwise(zipped("a.png", b"\0" * 128 * MIB, zipfile.ZIP_LZMA), size=10), "FileUnreadable",
        "packed in an unusual way",
    ),
}  # fmt: skip


def alone(kind: str, body: bytes, folder: Path, *, room_mib: int) -> Any:
    """What a process of its own makes of a file."""
    (folder / "file").write_bytes(body)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, kind, str(folder / "file"), str(room_mib)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_is_refused_in_words_before_it_takes_much_memory(name: str, tmp_path: Path) -> None:
    made, error, why = ZIPS[name]
    found = alone("zip", made(), tmp_path, room_mib=90)
    assert (found["rows"], found["error"]) == (0, error), found["why"]
    assert why in found["why"]


def test_the_table_itself_may_be_large(tmp_path: Path) -> None:
    rows = (b'{"external_id": "%d", "data": {"text": "%s"}}\n' % (n, b"x" * 10_000) for n in range(15_000))
    found = alone("zip", zip_beside("items.jsonl", rows), tmp_path, room_mib=90)
    assert (found["rows"], found["error"]) == (15_000, "NoneType"), found["why"]


def test_a_thousand_files_are_taken_and_one_more_is_not() -> None:
    small = picture()[:50]

    def of(count: int) -> io.BytesIO:
        others = {f"{number}.png": small for number in range(1, count)}
        return io.BytesIO(zip_beside("0.png", [small], beside=others))

    assert len(list(zip_lines(of(ENTRIES_MAX)))) == ENTRIES_MAX
    with pytest.raises(ImportTooLarge, match="at most 1,000 files"):
        list(zip_lines(of(ENTRIES_MAX + 1)))


def test_names_and_links_that_lead_elsewhere_are_refused() -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    for entry in (zipfile.ZipInfo("../a.png"), zipfile.ZipInfo("b/../../a.png"), link):
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as made:
            made.writestr(entry, picture())
        with pytest.raises(FileUnreadable, match="leads elsewhere"):
            list(zip_lines(body))


def test_a_row_of_a_csv_ends_where_a_row_may() -> None:
    *_, last = read_csv(io.BytesIO(one_row_of_lines(2)), json_fields=frozenset())
    assert last.problem.endswith(f"a row is longer than {ROW_BYTES_MAX} bytes")
    several = b'a,b\n"x\n\ny",z\n' * 200_000
    assert all(not row.problem for row in read_csv(io.BytesIO(several), json_fields=frozenset()))


TABLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "ten MiB, 2,000 times": (lambda: one_value_often(10 * MIB, 2_000), ""),
    "one MiB, 20,000 times": (lambda: one_value_often(MIB, 20_000), "1024 KiB"),
    "one MiB": (lambda: parquet_of({"a": ["x" * MIB]}), "1024 KiB"),
    "a list of a million of nothing": (lambda: of_nothing(1_000_000), "Row 1 is longer than 1024 KiB"),
    "a list of 16 million of nothing": (lambda: of_nothing(16_000_000), "could not be read within 72 MiB"),
    "206 columns": (lambda: parquet_of({f"c{n}": ["a"] for n in range(COLUMNS_MAX + 1)}), "has 206 columns"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_parquet_is_refused_in_words_before_it_takes_much_memory(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    made, why = TABLES[name]
    found = alone("parquet", made(), tmp_path, room_mib=1024)
    assert (found["rows"], found["error"]) == (0, "ImportTooLarge"), found["why"]
    assert why in found["why"]
    assert found["grew_mib"] <= 20
    # 70 of them are the library's own, most of it pages of its files.
    assert found["reader_mib"] <= 150


def test_a_table_that_is_large_as_usual_is_read_within_its_limit(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    texts = [f"{number} {'some text of it '[: number % 16] * 40}" for number in range(200_000)]
    usual = parquet_of({"external_id": list(map(str, range(200_000))), "data.text": texts})
    wide = parquet_of({f"c{n}": [f"{n} {number}" for number in range(5_000)] for n in range(COLUMNS_MAX)})
    for body, rows in ((usual, 200_000), (wide, 5_000)):
        found = alone("parquet", body, tmp_path, room_mib=1024)
        assert (found["rows"], found["error"]) == (rows, "NoneType"), found["why"]


def test_a_table_that_takes_more_than_its_reader_is_given_ends_the_reader_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "file").write_bytes(of_nothing(16_000_000))
    with (tmp_path / "file").open("rb") as file, pytest.raises(ImportTooLarge, match="could not be read within"):
        list(parquet_lines(file))
    assert "a reader of Parquet ended with" in caplog.text


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], Iterator[bytes]]]:
    """Rows as another reader says them, which does what it is told."""
    pytest.importorskip("pyarrow")

    def told(program: str) -> Iterator[bytes]:
        (tmp_path / "reader.py").write_text(f"import json, os, sys, time\n{program}")
        monkeypatch.setattr(parquet, "READER", tmp_path / "reader.py")
        return parquet_lines(file)

    with (tmp_path / "file").open("w+b") as file:
        yield told


def test_what_a_reader_said_before_it_broke_off_is_no_whole_table(reader: Any) -> None:
    lines = reader("""print('{"a": 1}'); print('{"b', end='', flush=True); os.abort()""")
    assert next(lines) == b'{"a": 1}\n'
    with pytest.raises(ImportTooLarge, match="could not be read within"):
        next(lines)


def test_a_reader_ends_with_whoever_wanted_its_rows(reader: Any) -> None:
    lines = reader("print(json.dumps({'pid': os.getpid()}), flush=True); time.sleep(600)")
    pid = json.loads(next(lines))["pid"]
    os.kill(pid, 0)
    lines.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_reader_is_told_nothing_of_the_site(reader: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "of-the-site")
    lines = reader("print(json.dumps({'all': dict(os.environ), 'path': sys.path})); print('[\"done\", \"\"]')")
    (line,) = list(lines)
    assert "SECRET_KEY" not in json.loads(line)["all"]
    assert "of-the-site" not in line.decode()
    # Nothing beside it takes the place of a library.
    assert not {str(tmp_path), str(ROOT), ""} & set(json.loads(line)["path"])

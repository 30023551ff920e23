"""Files that want time, memory, or half of themselves kept (R32): small ones that unpack, large ones that are made as
they are sent, and what parsers disagree about."""

import base64
import bz2
import gzip
import io
import json
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

MIB = 1024 * 1024
GIB = 1024 * MIB
JSONL, CSV, JSON = "application/x-ndjson", "text/csv", "application/json"
LABEL_STUDIO = "?format=label_studio"
ARCHIVES = ("application/zip", "application/gzip", "application/x-tar", "application/octet-stream")
PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Bomb:
    """A file: its bytes, or how they are made while they are sent."""

    name: str
    kind: str
    body: bytes | Iterable[bytes]
    size: int
    query: str = ""
    # How it may end beside a refusal at once: taken in, and failed later, with nothing kept.
    later: bool = False


def whole(name: str, kind: str, body: bytes | str, query: str = "", **more: Any) -> Bomb:
    data = body if isinstance(body, bytes) else body.encode()
    return Bomb(name, kind, data, len(data), query, **more)


class Repeated:
    """A head, one piece over and over, and a tail: nothing of it is kept."""

    def __init__(self, head: bytes, piece: bytes, times: int, tail: bytes = b"") -> None:
        self.head, self.piece, self.times, self.tail = head, piece, times, tail
        self.size = len(head) + len(piece) * times + len(tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        for _ in range(self.times):
            yield self.piece
        yield self.tail


def lazy(name: str, kind: str, made: Repeated, query: str = "", **more: Any) -> Bomb:
    return Bomb(name, kind, made, made.size, query, **more)


def row(text: Any, **more: Any) -> str:
    return json.dumps({"external_id": "b", "data": {"text": text}, **more})


def of_one_piece(*, giant: bool = False) -> Iterator[Bomb]:
    """One cell, element, line or header that is all of a large file: 96 MiB, or a GiB if asked for."""
    block, times = b"x" * 64 * 1024, ((GIB if giant else 96 * MIB) - 64) // (64 * 1024)
    begins = {
        "one cell, JSONL": (JSONL, b'{"external_id": "a", "data": {"text": "', ""),
        "one cell, CSV": (CSV, b'external_id,data.text\na,"', ""),
        "one element, JSON": (JSON, b'[{"data": {"text": "', LABEL_STUDIO),
    }
    for name, (kind, head, query) in begins.items():
        yield lazy(name, kind, Repeated(head, block, times), query)
    yield lazy("one line of spaces", JSONL, Repeated(b"", b" " * 64 * 1024, times))
    yield lazy("one header", CSV, Repeated(b"external_id,", b"a," * 32 * 1024, times))
    yield Bomb("said to be of three GiB", JSONL, row("a").encode(), 3 * GIB)


def of_json() -> Iterator[Bomb]:
    lines = {
        "depth 100,000 of lists": '{"external_id": "a", "data": {"text": ' + "[" * 100_000 + "]" * 100_000 + "}}",
        "depth 100,000 of objects": '{"external_id": "a", "data": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
        "depth without an end": "[" * 500_000,
        "depth 21 within a cell": row(json.loads("[" * 21 + "]" * 21)),
        "NUL": '{"external_id": "a", "data": {"text": "a\\u0000b"}}',
        "NUL in a name": '{"external_id": "a", "data": {"te\\u0000xt": "a"}}',
        "NUL in the id": '{"external_id": "a\\u0000", "data": {"text": "a"}}',
        "a name twice": '{"external_id": "a", "external_id": "b", "data": {"text": "a"}}',
        "a name twice within": '{"external_id": "a", "data": {"text": "a", "text": "b"}}',
        "a name twice, once written otherwise": '{"external_id": "a", "data": {"text": "a", "te\\u0078t": "b"}}',
        "a name twice, with spaces": '{"external_id" : "a", "external_id":"b", "data": {"text": "a"}}',
        "a name twice behind 60,000 others": "{" + ",".join(f'"{n}":1' for n in [*range(60_000), 59_999]) + "}",
        "a name twice in a table": row("a", extra=[{"a": 1}]).replace('[{"a": 1}]', '[{"a": 1, "a": 2}]'),
        "half a pair": '{"external_id": "a", "data": {"text": "\\ud83d"}}',
        "a number of 10,000 digits": '{"external_id": "a", "overlap": ' + "9" * 10_000 + ', "data": {"text": "a"}}',
        "a number beyond bigint": '{"external_id": "a", "overlap": 9223372036854775808, "data": {"text": "a"}}',
        "a number beyond floats": '{"external_id": "a", "overlap": 1e999, "data": {"text": "a"}}',
        "not a number": '{"external_id": "a", "overlap": NaN, "data": {"text": "a"}}',
        "infinity": '{"external_id": "a", "overlap": -Infinity, "data": {"text": "a"}}',
        "a cell beyond 64 KiB": row("x" * 65_537),
        "a cell beyond 64 KiB in UTF-8": row("é" * 40_000),
        "an id of 100 KiB": '{"external_id": "' + "i" * 100_000 + '", "data": {"text": "a"}}',
        "100,000 names of columns": json.dumps({f"c{n}": 1 for n in range(60_000)}),
        "100,000 names of data": json.dumps({"external_id": "a", "data": {f"c{n}": 1 for n in range(60_000)}}),
        "100,000 reserved names": '{"external_id": "a", "data": {"text": "a"}, "reserved_for": ["'
        + '","'.join(f"w_{n}" for n in range(90_000)) + '"]}',
        "a right row and a wrong one": row("fine") + "\n{",
        "a right row and one of nothing": row("fine") + "\n[]",
        "the same row twice": row("fine") + "\n" + row("fine"),
        "a prototype": '{"external_id": "a", "data": {"text": "a"}, "__proto__": {"admin": true}}',
        "an object as the id": '{"external_id": {"$ne": 1}, "data": {"text": "a"}}',
        "nothing": "",
        "a comma too many": '{"external_id": "a", "data": {"text": "a"},}',
        "two objects on a line": row("a") + row("b"),
        "a comment": "// a\n" + row("a"),
    }  # fmt: skip
    for name, text in lines.items():
        yield whole(name, JSONL, text)
    yield whole("not UTF-8", JSONL, b'{"external_id": "a", "data": {"text": "\xff"}}')
    yield whole("overlong UTF-8", JSONL, b'{"external_id": "a", "data": {"text": "\xc0\xaf"}}')
    yield whole("UTF-16", JSONL, row("a").encode("utf-16"))
    yield whole("UTF-32", JSONL, row("a").encode("utf-32"))
    yield whole("UTF-7 said to be it", JSONL + "; charset=utf-7", b"+AHs-")
    yield whole("a million empty objects", JSONL, b"{}\n" * 1_000_000)
    yield whole("two million lists", JSONL, b"[]\n" * 2_000_000)
    yield whole("eight million empty lines", JSONL, b"\n" * 8_000_000)
    yield whole("a line just beyond 1 MiB", JSONL, row("x" * (MIB + 1)))


def of_csv() -> Iterator[Bomb]:
    texts = {
        "a million columns": "a," * 1_000_000 + "\n" + "1," * 1_000_000,
        "a million columns with names": ",".join(f"c{n}" for n in range(1_000_000)) + "\nx\n",
        "400,000 columns within a line": ",".join(map(str, range(140_000))) + "\nx\n",
        "206 columns": "external_id," + ",".join(f"data.c{n}" for n in range(205)) + "\na" + ",x" * 205,
        "a million cells under two": "external_id,data.text\n" + "x," * 500_000 + "\n",
        "a quote that never ends": 'external_id,data.text\na,"' + "x\n" * 3_000_000,
        "a quote that never ends, on one line": 'external_id,data.text\na,"' + "x" * 7_000_000,
        "quotes only": '"' * 3_000_001,
        "commas only": "," * 3_000_000,
        "NUL": "external_id,data.text\na,b\0c\n",
        "NUL in the header": "external_id,data.te\0xt\na,b\n",
        "a column twice": "external_id,data.text,data.text\na,b,c\n",
        "a column of nothing": "external_id,data.text,\na,b,c\n",
        "eight names of 120 KiB": "external_id,data.text,"
        + ",".join(str(n) * 120_000 for n in range(8))
        + "\n"
        + ("a,b" + ",x" * 8 + "\n") * 12,
        "a column of a prototype": "external_id,data.text,data.__proto__\na,b,c\n",
        "depth in a cell": "external_id,data.text,gold.label\na,b," + "[" * 100_000 + "\n",
        "a name twice in a cell": 'external_id,data.text,gold.label\na,b,"{""a"": 1, ""a"": 2}"\n',
        "carriage returns only": "external_id,data.text\r" + "a\r" * 2_000_000,
        "a cell beyond 64 KiB": f"external_id,data.text\na,{'x' * 70_000}\n",
        "a right row and a short one": "external_id,data.text\na,b\nc\n",
        "two million short rows": "external_id,data.text\n" + "a\n" * 2_000_000,
        "UTF-16": "",
    }
    for name, text in texts.items():
        yield whole(f"CSV: {name}", CSV, text.encode() if text else "external_id,data.text\na,b\n".encode("utf-16"))


def of_label_studio() -> Iterator[Bomb]:
    texts = {
        "depth": '[{"data": ' + "[" * 100_000,
        "depth that closes": '[{"data": ' + "[" * 100_000 + "]" * 100_000 + "}]",
        "no array": '{"data": {}}',
        "an array without an end": '[{"data": {"text": "a"}},',
        "a string without an end": '[{"data": {"text": "' + "\\" * 2_000_000,
        "behind the end": '[{"data": {"text": "a"}}] x',
        "a million commas": "[" + "," * 1_000_000,
        "a million empty tasks": "[" + ",".join(["{}"] * 1_000_000) + "]",
        "a name twice": '[{"data": {"text": "a", "text": "b"}}]',
        "quotes": '["' + '"' * 3_000_000,
    }
    for name, text in texts.items():
        yield whole(f"Label Studio: {name}", JSON, text, LABEL_STUDIO)


def zipped(name: str, body: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, body)
    return buffer.getvalue()


def nested(levels: int, width: int) -> bytes:
    """As 42.zip: archives of archives of nothing, which unpack to `width ** levels` times a MiB."""
    body = zipped("0.jsonl", b"\0" * MIB)
    for _ in range(levels):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(width):
                archive.writestr(f"{number}.zip", body)
        body = buffer.getvalue()
    return body


def overlapping(times: int, *, said: int | None = None) -> bytes:
    """Many entries of a directory that are the same bytes of the file: each unpacks to a MiB. `said` is how many there
    are by the zip's own word."""
    one = zipped("a", b"\0" * MIB)
    directory_at = one.index(b"PK\x01\x02")
    end_at = one.index(b"PK\x05\x06")
    entry = one[directory_at:end_at]
    end = bytearray(one[end_at:])
    count = min(times, 65_535) if said is None else said
    struct.pack_into("<HHI", end, 8, count, count, len(entry) * times)
    return one[:directory_at] + entry * times + bytes(end)


def zip_beside(
    name: str, pieces: Iterable[bytes], *, beside: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A zip of a file in pieces and of others; by default of 5 MiB that nothing packs, so that the whole unpacks to no
    unusual times of its size."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        with archive.open(name, "w") as file:
            for piece in pieces:
                file.write(piece)
        for other, body in (beside or {"padding.png": random.Random(32).randbytes(5 * MIB)}).items():
            archive.writestr(other, body)
    return buffer.getvalue()


def said_otherwise(body: bytes, *, size: int, method: int | None = None) -> bytes:
    """The zip, whose directory says that its first file unpacks to so much, and how."""
    changed = bytearray(body)
    (directory_at,) = struct.unpack_from("<I", body, body.rindex(b"PK\x05\x06") + 16)
    struct.pack_into("<I", changed, directory_at + 24, size)
    if method is not None:
        struct.pack_into("<H", changed, directory_at + 10, method)
    return bytes(changed)


def one_line(name: str, byte: bytes, mib: int) -> bytes:
    """A zip of a table that is one line of so many MiB, a multiple of 16, and says so."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    # After a full flush nothing refers to what was before, so that a piece may be followed by itself.
    piece = packer.compress(byte * 16 * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    body = zip_beside(name, [piece] * (mib // 16) + [packer.flush()], method=zipfile.ZIP_STORED)
    return said_otherwise(body, size=mib * MIB, method=zipfile.ZIP_DEFLATED)


def picture() -> bytes:
    """A picture by its first bytes, of 45 KiB that nothing packs."""
    return b"\x89PNG\r\n\x1a\n" + random.Random(32).randbytes(45 * 1024)


def named_often(times: int) -> bytes:
    """A row that names one small picture so many times."""
    line = json.dumps({str(number): "a" for number in range(times)}).encode()
    return zip_beside("items.jsonl", [line], beside={"a": picture()})


def one_row_of_lines(mib: int) -> bytes:
    """A CSV whose second row never ends: each of its lines ends within a quoted cell, and all cells are short."""
    return b"a,b\n" + b'"\n\n",' * (mib * MIB // 5)


def quine() -> bytes:
    """An archive whose only member is said to be the archive itself: whoever unpacks again and again never ends."""
    inner = zipped("r.zip", b"PK" * 64)
    for _ in range(8):
        inner = zipped("r.zip", inner, zipfile.ZIP_STORED)
    return inner


def _named(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, row("a"))
    return buffer.getvalue()


def _links() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, target in (("tasks.jsonl", "/etc/passwd"), ("x", "../../../../etc/shadow")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return buffer.getvalue()


def of_archives() -> Iterator[Bomb]:
    zeros = b"\0" * (64 * MIB)
    made = {
        "42.zip": nested(3, 16),
        "64 MiB in 64 KiB": zipped("tasks.jsonl", zeros),
        "bzip2 member": zipped("tasks.jsonl", zeros, zipfile.ZIP_BZIP2),
        "LZMA member": zipped("tasks.jsonl", zeros, zipfile.ZIP_LZMA),
        "overlapping members": overlapping(50_000),
        "150,000 members that are said to be one": overlapping(150_000, said=1),
        "a line of 400 MiB": one_line("tasks.jsonl", b"\0", 400),
        "a line of 400 MiB of a table": one_line("tasks.csv", b"x", 400),
        "one row of all lines": zip_beside("tasks.csv", [one_row_of_lines(7)]),
        "64 MiB in a picture of 40 KiB": said_otherwise(zipped("a.png", zeros), size=40_000),
        "bzip2 in a picture of 40 KiB": said_otherwise(zipped("a.png", zeros, zipfile.ZIP_BZIP2), size=40_000),
        "a picture named 60,000 times": named_often(60_000),
        "quine": quine(),
        "2,000 members": _named([f"{n}.jsonl" for n in range(2_000)]),
        "names that lead out": _named(["../../tasks.jsonl", "/etc/cron.d/x", "..\\..\\x", "a/../../b", "C:\\x"]),
        "gzip": gzip.compress(zeros),
        "gzip of gzip": gzip.compress(gzip.compress(gzip.compress(zeros))),
        "bzip2": bz2.compress(zeros),
        "xz": lzma.compress(zeros, preset=0),
        "zlib": zlib.compress(zeros),
        "links": _links(),
        "cut off": nested(1, 4)[:-30],
    }
    for name, body in made.items():
        for kind in (*ARCHIVES[:1], JSONL, CSV):
            yield whole(f"archive as {kind}: {name}", kind, body)
    for kind in ARCHIVES[1:]:
        yield whole(f"archive as {kind}", kind, made["64 MiB in 64 KiB"])


def png_of(width: int, height: int) -> bytes:
    """The head of a picture of this size, and nothing else of it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def of_pictures() -> Iterator[Bomb]:
    jpeg = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65_500, 65_500, 3) + b"\0" * 9
    webp = b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<I", 10) + b"\0" * 4 + b"\xff\xff\xff" * 2
    pictures = {
        "PNG of 10^9 pixels": ("png", png_of(40_000, 25_000)),
        "PNG of 2^31": ("png", png_of(2**31 - 1, 2**31 - 1)),
        "GIF of 4 * 10^9": ("gif", b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0" * 3),
        "JPEG of 4 * 10^9": ("jpeg", jpeg),
        "WebP of 2^48": ("webp", webp),
        "a page said to be a PNG": ("svg+xml", b"<svg onload='alert(1)'/>"),
    }
    for name, (kind, body) in pictures.items():
        text = f"data:image/{kind};base64,{base64.b64encode(body).decode()}"
        line = json.dumps({"external_id": "p", "data": {"text": "a", "picture": text}})
        yield whole(f"picture: {name}", JSONL, line)


def parquet_of(columns: dict[str, Any], **options: Any) -> bytes:
    """A table, as libraries write it by default."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd", **options)
    return buffer.getvalue()


def one_value_often(size: int, times: int) -> bytes:
    """A table whose rows share one value of this size."""
    import pyarrow as pa

    shared = pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array(["x" * size]))
    columns = {"external_id": pa.array([str(n) for n in range(times)]), "data.text": shared}
    return parquet_of(columns, dictionary_pagesize_limit=GIB)


def of_nothing(count: int) -> bytes:
    """A table of one row, whose one cell is a list of so many times nothing: a few bytes, and said to be no more."""
    import pyarrow as pa

    return parquet_of({"a": pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), pa.nulls(count, pa.int32()))})


def of_parquet() -> Iterator[Bomb]:
    """Where tables of Parquet are not taken, each is refused for its kind alone."""
    yield whole("Parquet: nothing but its mark", PARQUET, b"PAR1" * 1_000)
    yield whole("Parquet: a footer longer than the file", PARQUET, b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1")
    try:
        import pyarrow as pa
    except ImportError:
        return

    yield whole("Parquet: one MiB, 20,000 times", PARQUET, one_value_often(MIB, 20_000))
    yield whole("Parquet: ten MiB, 20,000 times", PARQUET, one_value_often(10 * MIB, 20_000))
    yield whole(
        "Parquet: one cell of 200 MiB", PARQUET, parquet_of({"external_id": ["a"], "data.text": ["x" * 200 * MIB]})
    )
    yield whole("Parquet: 5,000 columns", PARQUET, parquet_of({f"c{n}": ["a"] for n in range(5_000)}))
    deep: Any = "a"
    for _ in range(60):
        deep = [deep]
    yield whole("Parquet: depth 60", PARQUET, parquet_of({"external_id": ["a"], "data.text": pa.array([deep])}))
    yield whole("Parquet: a list of 16 million of nothing", PARQUET, of_nothing(16_000_000))
    good = parquet_of({"external_id": ["a"], "data.text": ["fine"]})
    yield whole("Parquet: cut off", PARQUET, good[: len(good) // 2])
    yield whole("Parquet: with a wrong byte", PARQUET, good[:40] + b"\xff" * 8 + good[48:])


def late() -> Iterator[Bomb]:
    """Large files that begin well: they are taken in, and fail where they are wrong."""
    fine = b"".join(
        f"{json.dumps({'external_id': f't{n}', 'data': {'text': 'x' * 900}})}\n".encode() for n in range(10_000)
    )
    yield whole("late: a wrong last row", JSONL, fine + b"{", later=True)
    yield whole(
        "late: a row of 15 MiB behind the first", JSONL, row("a").encode() + b"\n" + b"x" * 15 * MIB, later=True
    )
    yield whole("late: four million empty objects", JSONL, row("a").encode() + b"\n" + b"{}\n" * 4_000_000, later=True)
    yield whole(
        "late: CSV with a quote that never ends", CSV,
        b"external_id,data.text\n" + b"".join(b"r%d,%s\n" % (n, b"x" * 900) for n in range(10_000))
        + b'a,"' + b"x\n" * 999,
        later=True,
    )  # fmt: skip


# How the columns of the files above may be meant, so that their readers come as far as they do.
PLAIN = {"external_id": "external_id", "data.text": "data.text"}
MEANT = {
    "JSON": PLAIN, "CSV": PLAIN, "archives": {"data.text": "a"}, "pictures": {**PLAIN, "data.picture": "data.picture"},
    "Parquet": {"data.text": "a"}, "late": PLAIN, "one piece": PLAIN,
}  # fmt: skip


def with_mapping(bomb: Bomb, mapping: str) -> Bomb:
    """The same file, whose columns are said to mean this."""
    return replace(bomb, query=f"?mapping={quote(mapping)}")


def of_mappings() -> Iterator[Bomb]:
    """What an address may say of the columns of a file that is well."""
    mappings = {
        "nothing": "", "a list": "[]", "a text": '"a"', "null": "null", "no column": "{}", "half an object": "{",
        "depth": '{"data.text":' * 1_000 + "1" + "}" * 1_000,
        "depth without an end": "[" * 5_000,
        "depth within": json.dumps({"data.text": json.loads("[" * 30 + "]" * 30)}),
        "a name twice": '{"data.text": "data.text", "data.text": "external_id"}',
        "NUL": '{"data.text": "a\\u0000"}', "NUL in a name": '{"data.te\\u0000xt": "a"}', "a plain NUL": '{"a": "\0"}',
        "half a pair": '{"data.text": "\\ud83d"}',
        "not a number": '{"data.text": NaN}', "a number of 5,000 digits": f'{{"data.text": {"9" * 5_000}}}',
        "a number beyond floats": '{"data.text": 1e999}',
        "a prototype": '{"__proto__": "a"}', "a prototype within": '{"data.__proto__": "a"}',
        "what no column can be": '{"data": "data", "gold": "gold"}',
        "a column without a name": '{"data.text": ""}', "a long name": json.dumps({"data.text": "x" * 5_000}),
        "a name of 1,000 steps": json.dumps({"data.text": "a" + ".a" * 1_000}),
        "300 columns": json.dumps({f"data.c{n}": "a" for n in range(300)}),
        "no such column": '{"data.text": "nothing"}',
    }  # fmt: skip
    for name, mapping in mappings.items():
        for kind, body in ((JSONL, row("fine")), (CSV, "external_id,data.text\na,fine\n")):
            yield with_mapping(whole(f"a mapping of {kind}: {name}", kind, body), mapping)
    yield whole("a mapping: no UTF-8", JSONL, row("fine"), "?mapping=%FF%FE")
    yield whole("a mapping: half a surrogate", JSONL, row("fine"), "?mapping=%7B%22data.text%22:%22%ED%A0%80%22%7D")


GROUPS = {
    "JSON": of_json, "CSV": of_csv, "Label Studio": of_label_studio, "archives": of_archives, "pictures": of_pictures,
    "Parquet": of_parquet, "late": late, "one piece": of_one_piece, "mappings": of_mappings,
}  # fmt: skip

"""A process that reads the table of Parquet on its input and writes its rows as lines of JSON, for `parquet.py`.

Its last line is a list: how it ended (`done`, `too large`, `unreadable`), and why. Without one it was stopped, by a
limit of the system or by what the file did to the library. It imports nothing of the site and is given no secret of it.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

# Times the largest row: what is read at once.
ROWS_AT_ONCE = 16
# Rows above this are made one by one: a value that many of them share is in memory once until then.
SMALL_ROW_BYTES = 64 * 1024
READ_AHEAD_BYTES = 64 * 1024


class TooLarge(Exception):
    """More than is read of a table."""


def main(limits: dict[str, int]) -> None:
    """Read, under these limits."""
    # Before they hold, for what the library takes is not the file's doing.
    import pyarrow as pa
    import pyarrow.parquet

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    _bound(limits)
    out = sys.stdout.buffer
    try:
        for line in _lines(limits):
            out.write(line)
        last = ["done", ""]
    except TooLarge as error:
        last = ["too large", str(error)]
    except MemoryError:
        raise SystemExit(1) from None
    except Exception as error:
        last = ["unreadable", str(error)[:200]]
    out.write(json.dumps(last).encode() + b"\n")
    out.flush()


def _bound(limits: dict[str, int]) -> None:
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    for kind, most in (
        (resource.RLIMIT_AS, taken + limits["memory"]),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _lines(limits: dict[str, int]) -> Iterator[bytes]:
    from pyarrow.parquet import ParquetFile

    table = ParquetFile(os.fdopen(0, "rb", buffering=0), pre_buffer=False, buffer_size=READ_AHEAD_BYTES)
    known = table.metadata
    groups = [known.row_group(at) for at in range(known.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if known.num_rows > limits["rows"] or unpacked > limits["unpacked"]:
        raise TooLarge(f"A table may have at most {limits['rows']:,} rows and {limits['unpacked']:,} bytes; split it.")
    if len(table.schema_arrow) > limits["columns"]:
        raise TooLarge(f"The table has {len(table.schema_arrow)} columns; at most {limits['columns']} are read.")
    if any(group.total_byte_size > limits["row_bytes"] * max(group.num_rows, 1) for group in groups):
        raise TooLarge(f"A row may have at most {limits['row_bytes'] // 1024} KiB.")
    number = 0
    for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
        step = ROWS_AT_ONCE if batch.nbytes <= SMALL_ROW_BYTES * batch.num_rows else 1
        for at in range(0, batch.num_rows, step):
            for row in batch.slice(at, step).to_pylist():
                number += 1
                text = _json(row)
                # Of a text that is much too long no second form is made.
                if len(text) >= limits["row_bytes"] or len(line := f"{text}\n".encode()) > limits["row_bytes"]:
                    raise TooLarge(f"Row {number} is longer than {limits['row_bytes'] // 1024} KiB.")
                yield line


def _json(row: dict[str, Any]) -> str:
    present = {name: value for name, value in row.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, default=_plain, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.decode()
    return str(value)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

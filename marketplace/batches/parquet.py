"""Tables of Apache Parquet as lines of JSON, so that they are imported like JSONL. pyarrow reads them, an extra.

A page of a table can unpack to any size, and pyarrow has no limit but the machine's. So each table is read by a process
of its own (`parquet_reader.py`) whose memory and time the system bounds, and which knows nothing of the site.
"""

import json
import logging
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import BinaryIO

from marketplace.batches.errors import FileUnreadable, ImportTooLarge
from marketplace.batches.rows import COLUMNS_MAX, ROW_BYTES_MAX

log = logging.getLogger("touchstone.batches")

ROWS_MAX = 5_000_000
# What the file says that it unpacks to; of an honest one that is known at once.
UNPACKED_MAX = 2 * 1024 * 1024 * 1024
# Of the process that reads, beside what the library takes itself: enough for pages as libraries write them by default,
# of about a MiB for each column.
MEMORY_MAX = 72 * 1024 * 1024
CPU_S_MAX = 240
READER = Path(__file__).with_name("parquet_reader.py")
# Memory is taken from the system as it is needed, and not in large pieces ahead of it.
ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
MISSING = "Parquet is not read here: pyarrow is missing on the server. Send CSV or JSONL."
TOO_HEAVY = (
    f"This table of Parquet could not be read within {MEMORY_MAX // 1024 // 1024} MiB of memory and {CPU_S_MAX // 60}"
    " minutes. Write it with smaller row groups and pages, split it, or send CSV or JSONL."
)


def parquet_lines(file: BinaryIO) -> Iterator[bytes]:
    """The rows of the table, each as a line of JSON; the file must be one of the system's, read from its beginning.

    Times are texts of ISO 8601, and bytes are taken as text in UTF-8. Raises `FileUnreadable`, `ImportTooLarge`.
    """
    if find_spec("pyarrow") is None:
        raise FileUnreadable(MISSING)
    limits = {
        "rows": ROWS_MAX,
        "columns": COLUMNS_MAX,
        "row_bytes": ROW_BYTES_MAX,
        "unpacked": UNPACKED_MAX,
        "memory": MEMORY_MAX,
        "cpu_s": CPU_S_MAX,
    }
    with Popen(
        [sys.executable, "-I", str(READER), json.dumps(limits)],
        stdin=file,
        stdout=PIPE,
        stderr=DEVNULL,
        env=ENVIRONMENT,
    ) as reader:
        assert reader.stdout is not None
        try:
            while (line := reader.stdout.readline(ROW_BYTES_MAX + 1)).endswith(b"\n"):
                if not line.startswith(b"{"):
                    _ended(*json.loads(line))
                    return
                yield line
            log.warning("a reader of Parquet ended with %s and without a last word", reader.wait())
        finally:
            # Also of rows that nobody wants any more.
            reader.kill()
    raise ImportTooLarge(TOO_HEAVY)


def _ended(how: str, why: str) -> None:
    if how == "too large":
        raise ImportTooLarge(why)
    if how == "unreadable":
        raise FileUnreadable(f"This is no table of Parquet that can be read: {why}")

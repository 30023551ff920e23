"""Imports of Label Studio's tasks: a JSON array, read as rows one at a time."""

from collections.abc import Iterator
from typing import BinaryIO

from marketplace.batches.json_array import read_json_array
from marketplace.batches.rows import Cursor, Row
from marketplace.projects.interface import Interface
from marketplace.projects.label_studio.items import read_task

LABEL_STUDIO = "label_studio"


def read_label_studio(body: BinaryIO, interface: Interface, at: Cursor | None = None) -> Iterator[Row]:
    """The tasks as rows with external_id, data and gold. Predictions, and annotations that are not the ground truth,
    are counted in the cursor and left out. `body` begins where `at` says."""
    at = at or Cursor()
    for row in read_json_array(body, at):
        if row.problem:
            yield row
            continue
        read = read_task(interface, row.fields, row.number)
        for name, count in (("predictions", read.predictions), ("annotations", read.annotations)):
            if count:
                at.left_out[name] = at.left_out.get(name, 0) + count
        yield Row(row.number, read.fields, faults=read.faults)

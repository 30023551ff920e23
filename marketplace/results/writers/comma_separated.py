"""CSV: one line for each item, or for each answer in the columns of Mechanical Turk's result files.

Cells that a spreadsheet would run are neutralised as in all files of ours (R33).
"""

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any, cast

from marketplace.common.cells import safe_cell
from marketplace.projects.answer_types.base import Field
from marketplace.results.writers.base import Answer, Item, Items, Losses, Sink
from marketplace.results.writers.columns import (
    appended,
    as_json,
    columns_of,
    json_type,
    read_options,
    refuse_same_names,
    row_of,
)

# https://docs.aws.amazon.com/AWSMechTurk/latest/RequesterUI/ (the file of a batch's results)
TURK_COLUMNS = (
    "HITId", "HITTypeId", "Title", "Description", "Keywords", "Reward", "CreationTime", "MaxAssignments",
    "RequesterAnnotation", "AssignmentDurationInSeconds", "AutoApprovalDelayInSeconds", "Expiration",
    "NumberOfSimilarHITs", "LifetimeInSeconds", "AssignmentId", "WorkerId", "AssignmentStatus", "AcceptTime",
    "SubmitTime", "AutoApprovalTime", "ApprovalTime", "RejectionTime", "RequesterFeedback", "WorkTimeInSeconds",
    "LifetimeApprovalRate", "Last30DaysApprovalRate", "Last7DaysApprovalRate",
)  # fmt: skip
TURK_ENDS = ("Approve", "Reject")
BETWEEN = "|"


class PlainCsv:
    """The columns of `columns_of`, in UTF-8, RFC 4180. Lists and objects are JSON texts."""

    name = "csv"
    title = "CSV, one line for each item"
    needs: frozenset[type] = frozenset()
    answers = False
    in_stretches = True

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        refuse_same_names(data, answer)
        return read_options(options, {})

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses = Losses()
        with _tables(items, out, columns_of(items.data, items.answer)) as tables:
            for item in items:
                tables.row(item.split, row_of(item, items.data, items.answer))
                if item.answers:
                    losses.add("single answers have no place in this format", item=item.external_id,
                               count=len(item.answers))  # fmt: skip
        return losses


class TurkCsv:
    """One line for each answer, in the columns of Mechanical Turk: `Input.<data field>`, `Answer.<answer field>`.

    Several labels are one cell with | between them, as Mechanical Turk has it; other lists and objects are JSON texts.
    Unclear answers have `true` in `Answer.unclear`. Columns for which nothing is known here are empty.
    """

    name = "mturk_csv"
    title = "CSV in the columns of Amazon Mechanical Turk, one line for each answer"
    needs: frozenset[type] = frozenset()
    answers = True
    in_stretches = True

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        return read_options(options, {})

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses = Losses()
        kinds = {field["name"]: json_type(field) for field in items.answer}
        inputs = [f"Input.{field['name']}" for field in items.data]
        given = [*(f"Answer.{field['name']}" for field in items.answer), "Answer.unclear"]
        with _tables(items, out, [*TURK_COLUMNS, *inputs, *given, *TURK_ENDS]) as tables:
            for item in items:
                for answer in item.answers:
                    tables.row(item.split, _turk_row(items, item, answer, kinds))
                for name in item.values:
                    losses.add("results have no place in this format, which has the single answers", field=name)
        return losses


def _turk_row(items: Items, item: Item, answer: Answer, kinds: Mapping[str, str]) -> list[Any]:
    about = items.about
    known = {
        "HITId": item.external_id,
        "Title": items.name,
        "Reward": _price(about),
        "MaxAssignments": about.get("overlap", ""),
        "AssignmentDurationInSeconds": about.get("time_limit_s", ""),
        "AssignmentId": answer.id,
        "WorkerId": answer.worker,
        "AssignmentStatus": "Approved",
        "SubmitTime": _turk_time(answer.submitted_at),
    }
    cells: list[Any] = [known.get(column, "") for column in TURK_COLUMNS]
    cells += [item.data.get(field["name"]) for field in items.data]
    for name, kind in kinds.items():
        value = answer.values.get(name)
        # A label with the mark in it would come out as two.
        if kind == "strings" and value is not None and not any(BETWEEN in label for label in value):
            value = BETWEEN.join(value)
        cells.append(value)
    return [*cells, "true" if answer.unclear else "", "x", ""]


def _price(about: Mapping[str, Any]) -> str:
    if not about.get("reward"):
        return ""
    return f"${about['reward']}" if about["currency"] == "USD" else f"{about['reward']} {about['currency']}"


def _turk_time(moment: str) -> str:
    """As "Sat Nov 21 12:11:00 UTC 2026"; names of days and months are English whatever the locale."""
    at = datetime.fromisoformat(moment).astimezone(UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[at.month - 1]
    return f"{day} {month} {at:%d %H:%M:%S} UTC {at.year}"


class _tables:
    """The table of each split, open while the block runs; in stretch 0 they begin with a header."""

    def __init__(self, items: Items, out: Sink, columns: Sequence[str]) -> None:
        self._items, self._out, self._columns = items, out, columns
        self._stack = ExitStack()

    def __enter__(self) -> "_tables":
        self._texts = {
            split: TextIOWrapper(cast(Any, file), "utf-8", newline="", write_through=False)
            for split, file in appended(self._stack, self._items, self._out, "csv").items()
        }
        self._writers = {split: csv.writer(text) for split, text in self._texts.items()}
        if self._items.stretch == 0:
            for writer in self._writers.values():
                writer.writerow([safe_cell(column) for column in self._columns])
        return self

    def row(self, split: str, cells: Sequence[Any]) -> None:
        """Add a line."""
        self._writers[split].writerow([_cell(cell) for cell in cells])

    def __exit__(self, *error: Any) -> None:
        for text in self._texts.values():
            text.flush()
            text.detach()
        self._stack.__exit__(*error)


def _cell(value: Any) -> Any:
    return safe_cell(as_json(value) if isinstance(value, dict | list) else value)


WRITERS = (PlainCsv(), TurkCsv())

"""A recorded crowd: which worker gave which task which label, and what is true. Reading it, and playing it back."""

from __future__ import annotations

import csv
import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crowd.transport import Json


class BadRecording(Exception):
    """One sentence that names the file and, where there is one, the row."""


class NotInRecording(Exception):
    """The server showed a worker something that the recording does not have for him."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded, in the order of the files.

    tasks       external id → data
    answers     worker → external id → label; each worker's tasks in the order of `tasks`
    truth       external id → label, for the tasks above that have one
    labels      every label of the whole recording, in the order first given; then those that only the truth has
    repeated    answers that a later answer of the same worker to the same task replaced
    unanswered  tasks left out because nobody answered them
    """

    tasks: dict[str, Json]
    answers: dict[str, dict[str, str]]
    truth: dict[str, str]
    labels: list[str]
    repeated: int
    unanswered: int

    @property
    def n_answers(self) -> int:
        """How many answers will be played."""
        return sum(len(given) for given in self.answers.values())

    def workers_of(self) -> dict[str, list[str]]:
        """External id → the workers who answered the task."""
        found: dict[str, list[str]] = {task: [] for task in self.tasks}
        for worker, given in self.answers.items():
            for task in given:
                found[task].append(worker)
        return found

    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """(external id, worker, label) of every answer."""
        for worker, given in self.answers.items():
            for task, label in given.items():
                yield task, worker, label


def canonical(data: Any) -> str:
    """Equal text for data that a JSON store would not tell apart: key order and `1.0` against `1` do not matter."""
    return json.dumps(_plain(data), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class AnswerSheet:
    """One worker's recorded answers, found again by the data that the task shows (its external id is hidden).

    Tasks with equal data are told apart by their order: the first such assignment gets the first recorded answer.
    An assignment keeps its answer, however often it is asked for. Used by one thread at a time.
    """

    def __init__(self, entries: Iterable[tuple[Json, str]]) -> None:
        self._waiting: defaultdict[str, deque[str]] = defaultdict(deque)
        self._given: dict[str, str] = {}
        self.remaining = 0
        for data, label in entries:
            self._waiting[canonical(data)].append(label)
            self.remaining += 1

    def label_for(self, assignment_id: str, data: Json) -> str:
        """The recorded label. Raises `NotInRecording` for data that is not, or no longer, on the sheet."""
        if assignment_id not in self._given:
            waiting = self._waiting.get(canonical(data))
            if not waiting:
                raise NotInRecording(f"A worker was shown what he never answered: {canonical(data)[:200]}")
            self._given[assignment_id] = waiting.popleft()
            self.remaining -= 1
        return self._given[assignment_id]


def read_recording(folder: Path, limit: int | None = None) -> Recording:
    """Read tasks.jsonl, answers.csv and truth.csv; with `limit` only the first tasks. Raises `BadRecording`."""
    if not folder.is_dir():
        raise BadRecording(f"{folder} is not a folder.")
    for name in ("tasks.jsonl", "answers.csv", "truth.csv"):
        if not (folder / name).is_file():
            raise BadRecording(f"{folder} has no {name}.")
    everything = _read_tasks(folder / "tasks.jsonl")
    chosen = dict(list(everything.items())[:limit])
    labels: dict[str, None] = {}  # dicts as ordered sets
    workers: dict[str, None] = {}
    by_task: dict[str, dict[str, str]] = {task: {} for task in chosen}
    repeated = 0
    for number, (task, worker, label) in _read_csv(folder / "answers.csv", ("external_id", "worker", "label")):
        if task not in everything:
            raise BadRecording(f"answers.csv row {number} answers the task {task!r}, which tasks.jsonl does not have.")
        labels[label] = None
        if task in chosen:
            repeated += worker in by_task[task]
            by_task[task][worker] = label
            workers[worker] = None
    if not workers:
        raise BadRecording("answers.csv has no answer to the chosen tasks.")
    tasks = {task: data for task, data in chosen.items() if by_task[task]}
    truth = _read_truth(folder / "truth.csv")
    labels |= dict.fromkeys(truth.values())
    if len(labels) < 2:
        raise BadRecording("answers.csv and truth.csv have only one label, and a choice needs two.")
    return Recording(
        tasks=tasks,
        answers=_by_worker(workers, by_task),
        truth={task: label for task, label in truth.items() if task in tasks},
        labels=list(labels),
        repeated=repeated,
        unanswered=len(chosen) - len(tasks),
    )


def _by_worker(workers: Iterable[str], by_task: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    answers: dict[str, dict[str, str]] = {worker: {} for worker in workers}
    for task, given in by_task.items():
        for worker, label in given.items():
            answers[worker][task] = label
    return answers


def _read_truth(path: Path) -> dict[str, str]:
    truth: dict[str, str] = {}
    for number, (task, label) in _read_csv(path, ("external_id", "label")):
        if task in truth:
            raise BadRecording(f"{path.name} row {number} says a second time what is true of the task {task!r}.")
        truth[task] = label
    return truth


def _read_tasks(path: Path) -> dict[str, Json]:
    tasks: dict[str, Json] = {}
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as why:
            raise BadRecording(f"{path.name} row {number} is not JSON: {why}.") from why
        if not isinstance(row, dict) or not isinstance(row.get("external_id"), str) or not row["external_id"]:
            raise BadRecording(f"{path.name} row {number} has no external_id.")
        if not isinstance(row.get("data"), dict) or not row["data"]:
            raise BadRecording(f"{path.name} row {number} has no data.")
        for name, value in row["data"].items():
            if not isinstance(value, str | dict):
                raise BadRecording(f"{path.name} row {number}: {name!r} is neither a text nor an object.")
        if row["external_id"] in tasks:
            raise BadRecording(f"{path.name} row {number} repeats the task {row['external_id']!r}.")
        tasks[row["external_id"]] = row["data"]
    if not tasks:
        raise BadRecording(f"{path.name} has no task.")
    return tasks


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from enumerate(file, start=1)
    except UnicodeDecodeError as why:
        raise BadRecording(f"{path.name} is not UTF-8 text.") from why
    except OSError as why:
        raise BadRecording(f"{path.name} cannot be read: {why.strerror}.") from why


def _read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(row number counting the header as 1, the values of the columns), none of them empty."""
    reader = csv.DictReader(line for _, line in _lines(path))
    try:
        for column in columns:
            if column not in (reader.fieldnames or ()):
                raise BadRecording(f"{path.name} row 1 has no column {column!r}.")
        for number, row in enumerate(reader, start=2):
            values = tuple((row[column] or "").strip() for column in columns)
            for column, value in zip(columns, values, strict=True):
                if not value:
                    raise BadRecording(f"{path.name} row {number} has no {column}.")
            yield number, values
    except csv.Error as why:
        raise BadRecording(f"{path.name} row {reader.line_num} is not CSV: {why}.") from why


def data_fields(tasks: Iterable[Json]) -> list[Json]:
    """The data fields of an interface that shows these tasks: an object is a table, a string is text.

    A field is required if every task has something in it. Raises `BadRecording` if a field is now one, now the other.
    """
    kinds: dict[str, str] = {}
    filled: defaultdict[str, int] = defaultdict(int)
    n_tasks = 0
    for number, data in enumerate(tasks, start=1):
        n_tasks += 1
        for name, value in data.items():
            kind = "table" if isinstance(value, dict) else "text"
            if kinds.setdefault(name, kind) != kind:
                raise BadRecording(f"tasks.jsonl task {number}: {name!r} is a {kind} here and a {kinds[name]} before.")
            filled[name] += bool(value)
    return [
        {"name": name, "type": kind} | ({"required": True} if filled[name] == n_tasks else {})
        for name, kind in kinds.items()
    ]

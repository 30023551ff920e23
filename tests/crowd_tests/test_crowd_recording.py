"""Reading a recorded crowd, and finding a worker's answers again by what he is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.crowd.recording import (
    AnswerSheet,
    BadRecording,
    NotInRecording,
    Recording,
    canonical,
    data_fields,
    read_recording,
)
from tests.crowd.replay import arrived, interface_of, main, rows_of

TASKS = [
    {"external_id": "a", "data": {"left": {"name": "x"}, "text": "hello"}},
    {"external_id": "b", "data": {"left": {"name": "y"}, "text": "there"}},
    {"external_id": "c", "data": {"left": {"name": "x"}, "text": "hello"}},
]
ANSWERS = "external_id,worker,label\nb,ann,same\na,ann,different\na,bob,same\nc,ann,same\n"
TRUTH = "external_id,label\na,same\nb,same\nc,different\n"


def write(folder: Path, *, tasks: Any = TASKS, answers: str = ANSWERS, truth: str = TRUTH) -> Path:
    text = tasks if isinstance(tasks, str) else "".join(json.dumps(task) + "\n" for task in tasks)
    (folder / "tasks.jsonl").write_text(text, encoding="utf-8")
    (folder / "answers.csv").write_text(answers, encoding="utf-8")
    (folder / "truth.csv").write_text(truth, encoding="utf-8")
    return folder


def read(folder: Path, limit: int | None = None, **files: Any) -> Recording:
    return read_recording(write(folder, **files), limit)


def test_a_recording_is_read_whole(tmp_path: Path) -> None:
    recording = read(tmp_path)

    assert list(recording.tasks) == ["a", "b", "c"]
    assert recording.answers == {"ann": {"a": "different", "b": "same", "c": "same"}, "bob": {"a": "same"}}
    assert recording.truth == {"a": "same", "b": "same", "c": "different"}
    assert recording.labels == ["same", "different"]
    assert (recording.n_answers, recording.repeated, recording.unanswered) == (4, 0, 0)
    assert recording.workers_of() == {"a": ["ann", "bob"], "b": ["ann"], "c": ["ann"]}


def test_a_workers_answers_stand_in_the_order_of_the_tasks(tmp_path: Path) -> None:
    assert list(read(tmp_path).answers["ann"]) == ["a", "b", "c"]


def test_of_a_repeated_answer_the_last_counts(tmp_path: Path) -> None:
    recording = read(tmp_path, answers=ANSWERS + "b,ann,different\n")

    assert recording.answers["ann"]["b"] == "different"
    assert (recording.repeated, recording.n_answers) == (1, 4)


def test_a_limit_takes_the_first_tasks_and_all_the_labels(tmp_path: Path) -> None:
    recording = read(tmp_path, 1)

    assert list(recording.tasks) == ["a"]
    assert recording.answers == {"ann": {"a": "different"}, "bob": {"a": "same"}}
    assert recording.truth == {"a": "same"}
    assert recording.labels == ["same", "different"]


def test_a_task_without_answers_is_left_out_and_counted(tmp_path: Path) -> None:
    recording = read(tmp_path, tasks=[*TASKS, {"external_id": "d", "data": {"left": {}, "text": "t"}}])

    assert "d" not in recording.tasks
    assert recording.unanswered == 1


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "answers.csv").write_bytes(b"\xef\xbb\xbf" + ANSWERS.replace("\n", "\r\n").encode())

    assert read_recording(tmp_path).n_answers == 4


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"tasks": "{\n"}, r"tasks.jsonl row 1 is not JSON"),
        ({"tasks": [{"data": {"x": "y"}}]}, r"tasks.jsonl row 1 has no external_id"),
        ({"tasks": [*TASKS, {"external_id": "d"}]}, r"tasks.jsonl row 4 has no data"),
        ({"tasks": [*TASKS, TASKS[0]]}, r"tasks.jsonl row 4 repeats the task 'a'"),
        ({"tasks": [{"external_id": "a", "data": {"x": 3}}]}, r"row 1: 'x' is neither a text nor an object"),
        ({"tasks": ""}, r"tasks.jsonl has no task"),
        ({"answers": "external_id,worker\na,ann\n"}, r"answers.csv row 1 has no column 'label'"),
        ({"answers": ANSWERS + "z,ann,same\n"}, r"answers.csv row 6 answers the task 'z'"),
        ({"answers": ANSWERS + "a,,same\n"}, r"answers.csv row 6 has no worker"),
        ({"answers": ANSWERS + "a,ann\n"}, r"answers.csv row 6 has no label"),
        ({"answers": "external_id,worker,label\n"}, r"answers.csv has no answer"),
        ({"answers": ""}, r"answers.csv row 1 has no column 'external_id'"),
        ({"truth": "external_id,truth\na,same\n"}, r"truth.csv row 1 has no column 'label'"),
        ({"truth": TRUTH + "a,same\n"}, r"truth.csv row 5 says a second time"),
        ({"answers": "external_id,worker,label\na,ann,same\n", "truth": "external_id,label\n"}, r"only one label"),
    ],
)
def test_a_bad_recording_is_named_by_file_and_row(tmp_path: Path, files: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRecording, match=sentence):
        read(tmp_path, **files)


def test_a_bad_recording_ends_the_command_with_2_and_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_STAFF_KEY", "key")
    write(tmp_path)
    (tmp_path / "truth.csv").unlink()

    assert main([str(tmp_path), "--base-url", "http://127.0.0.1:9"]) == 2
    assert capsys.readouterr().err == f"{tmp_path} has no truth.csv.\n"


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "answers.csv").write_bytes(b"external_id,worker,label\na,\xff,same\n")

    with pytest.raises(BadRecording, match=r"answers.csv is not UTF-8"):
        read_recording(tmp_path)


def test_data_that_a_json_store_returns_is_recognised() -> None:
    assert canonical({"b": {"y": 1.0, "x": "é"}, "a": [2]}) == canonical({"a": [2.0], "b": {"x": "é", "y": 1}})
    assert canonical({"a": "1"}) != canonical({"a": 1})
    assert canonical({"a": True}) != canonical({"a": 1})


def test_an_assignment_keeps_its_answer() -> None:
    sheet = AnswerSheet([({"x": "1"}, "same"), ({"x": "2"}, "different")])

    assert [sheet.label_for("one", {"x": "2"}) for _ in range(3)] == ["different"] * 3
    assert sheet.remaining == 1


def test_equal_data_gives_its_answers_in_order() -> None:
    sheet = AnswerSheet([({"x": "1", "y": "2"}, "same"), ({"z": "3"}, "same"), ({"y": "2", "x": "1"}, "different")])

    assert sheet.label_for("one", {"y": "2", "x": "1"}) == "same"
    assert sheet.label_for("two", {"x": "1", "y": "2"}) == "different"
    assert sheet.label_for("one", {"x": "1", "y": "2"}) == "same"
    with pytest.raises(NotInRecording):
        sheet.label_for("three", {"x": "1", "y": "2"})


def test_what_was_never_answered_is_not_on_the_sheet() -> None:
    with pytest.raises(NotInRecording, match="never answered"):
        AnswerSheet([]).label_for("one", {"x": "1"})


def test_an_object_is_a_table_and_a_string_is_text() -> None:
    assert data_fields([{"left": {"a": "b"}, "note": "n"}, {"left": {"a": "c"}, "note": ""}]) == [
        {"name": "left", "type": "table", "required": True},
        {"name": "note", "type": "text"},
    ]


def test_a_field_of_two_kinds_is_refused() -> None:
    with pytest.raises(BadRecording, match="'x' is a text here and a table before"):
        data_fields([{"x": {}}, {"x": "text"}])


def test_every_task_is_reserved_for_those_who_answered_it(tmp_path: Path) -> None:
    recording = read(tmp_path)

    assert list(rows_of(recording, {"ann": "p1", "bob": "p2"})) == [
        {"external_id": "a", "data": TASKS[0]["data"], "reserved_for": ["p1", "p2"], "overlap": 2},
        {"external_id": "b", "data": TASKS[1]["data"], "reserved_for": ["p1"], "overlap": 1},
        {"external_id": "c", "data": TASKS[2]["data"], "reserved_for": ["p1"], "overlap": 1},
    ]


def test_the_interface_asks_for_one_of_the_recorded_labels(tmp_path: Path) -> None:
    (choice,) = interface_of(read(tmp_path))["answer"]

    assert (choice["name"], choice["type"], choice["multiple"]) == ("label", "choice", False)
    assert [(label["value"], label["hotkey"]) for label in choice["labels"]] == [("same", "1"), ("different", "2")]


WORKERS = {"p1": "ann", "p2": "bob"}


def row(task: str, worker: str, label: str) -> dict[str, str]:
    return {"external_id": task, "worker": worker, "label": label, "state": "accepted"}


def test_answers_that_all_arrived_are_neither_missing_nor_changed(tmp_path: Path) -> None:
    exported = [row("b", "p1", "same"), row("a", "p1", "different"), row("a", "p2", "same"), row("c", "p1", "same")]
    assert arrived(read(tmp_path), exported, WORKERS) == (0, 0)


def test_answers_swapped_between_tasks_of_equal_data_have_arrived(tmp_path: Path) -> None:
    exported = [row("b", "p1", "same"), row("a", "p1", "same"), row("a", "p2", "same"), row("c", "p1", "different")]
    assert arrived(read(tmp_path), exported, WORKERS) == (0, 0)


def test_missing_changed_and_foreign_answers_are_counted(tmp_path: Path) -> None:
    recording = read(tmp_path)
    assert arrived(recording, [row("b", "p1", "same"), row("a", "p2", "different")], WORKERS) == (2, 1)
    assert arrived(recording, [row("b", "stranger", "same")], WORKERS) == (3, 1)

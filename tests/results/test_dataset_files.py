"""What the formats of tables say, read by those who know them."""

import csv
import io
import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from marketplace.projects.answer_types.base import FieldInvalid
from marketplace.projects.interface import check_interface
from marketplace.results.gathered import LazyParts
from marketplace.results.spool import check_path
from marketplace.results.writers.base import Answer, Item, Items, Losses
from marketplace.results.writers.registry import writers

INTERFACE = check_interface(
    {
        "data": [{"name": "text", "type": "text"}, {"name": "facts", "type": "table", "required": False}],
        "answer": [
            {"name": "label", "type": "choice", "labels": [{"value": "cat"}, {"value": "=dog"}]},
            {
                "name": "tags",
                "type": "choice",
                "multiple": True,
                "labels": [{"value": "big"}, {"value": "old"}, {"value": "a|b"}],
            },
            {"name": "weight", "type": "number", "required": False},
            {
                "name": "order",
                "type": "ranking",
                "required": False,
                "items": [{"value": "x"}, {"value": "y"}],
            },
        ],
    }
)
FIELDS = {field["name"]: field for field in INTERFACE["answer"]}


def answer_of(number: int, values: dict[str, Any]) -> Answer:
    return Answer(
        id=f"a{number}",
        worker=f"w_{number}",
        values=values,
        parts=LazyParts(FIELDS, values),
        unclear=not values,
        state="accepted",
        submitted_at="2026-11-21T12:11:00+00:00",
        instruction_version=2,
    )


def item_of(number: int, values: dict[str, Any], split: str = "", **more: Any) -> Item:
    return Item(
        number=number,
        external_id=more.pop("external_id", f"=t{number}"),
        data={"text": "+1 über", "facts": {"a": 1}},
        values=values,
        parts=LazyParts(FIELDS, values),
        confidence=dict.fromkeys(values, 0.75),
        votes=dict.fromkeys(values, 3),
        method=dict.fromkeys(values, "majority"),
        instruction_version=2,
        split=split,
        **more,
    )


CAT, DOG = {"label": "cat", "tags": ["big", "old"]}, {"label": "=dog", "tags": ["a|b"]}
ITEMS = [
    item_of(0, {**CAT, "weight": -2.5}, "train", answers=[answer_of(1, CAT)]),
    item_of(1, DOG, "test", answers=[answer_of(2, {}), answer_of(3, DOG)]),
    item_of(2, {"label": "cat", "tags": []}, "train"),
]


class Folder:
    """A sink of plain files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def open(self, path: str, *, compress: bool = True) -> Any:
        check_path(path)
        target = self.root / path
        assert not target.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            yield file

    @contextmanager
    def append(self, path: str) -> Any:
        with (self.root / path).open("ab") as file:
            yield file


def written(name: str, root: Path, splits: tuple[str, ...] = ("train", "test")) -> Losses:
    """The three items in two stretches."""
    writer, losses = writers()[name], Losses()
    options = writer.check_options({}, data=INTERFACE["data"], answer=INTERFACE["answer"])
    for stretch, some in enumerate((ITEMS[:2], ITEMS[2:])):
        items = Items(
            data=tuple(INTERFACE["data"]),
            answer=tuple(INTERFACE["answer"]),
            walk=lambda some=some: iter(some),  # type: ignore[misc]
            splits=splits,
            name="Pets: |all|",
            about={"reward": "0.05", "currency": "USD", "overlap": 3, "time_limit_s": 60},
            stretch=stretch,
            stretches=2,
        )
        losses.take(writer.write(items, Folder(root), options).told())
    return losses


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def test_a_csv_has_one_header_and_no_cell_that_a_spreadsheet_runs(tmp_path: Path) -> None:
    losses = written("csv", tmp_path)
    rows = table(tmp_path / "train.csv")
    assert [row["external_id"] for row in rows] == ["'=t0", "'=t2"]
    assert rows[0]["data.text"] == "'+1 über"
    assert (rows[0]["weight"], rows[0]["weight.confidence"], rows[1]["weight"]) == ("-2.5", "0.75", "")
    assert json.loads(rows[0]["tags"]) == ["big", "old"]
    assert table(tmp_path / "test.csv")[0]["label"] == "'=dog"
    assert [(loss["count"], loss["items"]) for loss in losses.told()] == [(3, ["=t0", "=t1"])]


def test_mechanical_turks_columns_have_one_line_for_each_answer(tmp_path: Path) -> None:
    losses = written("mturk_csv", tmp_path)
    train, test = table(tmp_path / "train.csv"), table(tmp_path / "test.csv")
    assert len(train) == 1
    assert {name: train[0][name] for name in ("HITId", "AssignmentId", "WorkerId", "AssignmentStatus", "Reward")} == {
        "HITId": "'=t0", "AssignmentId": "a1", "WorkerId": "w_1", "AssignmentStatus": "Approved", "Reward": "$0.05",
    }  # fmt: skip
    assert train[0]["SubmitTime"] == "Sat Nov 21 12:11:00 UTC 2026"
    assert (train[0]["Input.text"], train[0]["Answer.tags"]) == ("'+1 über", "big|old")
    assert [(row["Answer.label"], row["Answer.unclear"]) for row in test] == [("", "true"), ("'=dog", "")]
    # A label with the mark of the list in it is said so that it can be told from two.
    assert json.loads(test[1]["Answer.tags"]) == ["a|b"]
    assert list(train[0])[:3] == ["HITId", "HITTypeId", "Title"]
    assert list(train[0])[-2:] == ["Approve", "Reject"]
    assert {loss["field"]: loss["count"] for loss in losses.told()} == {"label": 3, "tags": 3, "weight": 1}


def test_parquet_has_types_and_nulls_and_every_row(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    assert written("parquet", tmp_path).total == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{split}-0000{n}-of-00002.parquet" for split in ("test", "train") for n in (0, 1)]
    rows = [row for name in names if name.startswith("train") for row in pq.read_table(tmp_path / name).to_pylist()]
    assert [row["external_id"] for row in rows] == ["=t0", "=t2"]
    assert (rows[0]["tags"], rows[0]["weight"], rows[1]["weight"]) == (["big", "old"], -2.5, None)
    assert json.loads(rows[0]["data.facts"]) == {"a": 1}
    assert json.loads(rows[0]["answers"])[0]["worker"] == "w_1"


def test_the_library_of_hugging_face_loads_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    judge = pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    written("hugging_face", folder)
    loaded = judge.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 2, "test": 1}
    assert loaded["train"]["tags"] == [["big", "old"], []]
    assert loaded["test"][0]["label"] == "=dog"


def test_every_writer_says_what_it_is_and_refuses_options_it_does_not_know() -> None:
    assert {"jsonl", "csv", "mturk_csv", "parquet", "hugging_face"} <= set(writers())
    for name, writer in writers().items():
        assert writer.name == name
        assert writer.title
        assert isinstance(writer.needs, frozenset)
        with pytest.raises(FieldInvalid, match="not known"):
            writer.check_options({"no_such": 1}, data=INTERFACE["data"], answer=INTERFACE["answer"])


def test_columns_of_one_name_are_refused_before_anything_is_built() -> None:
    answer = [{"name": "split", "type": "text", "title": "Split"}]
    with pytest.raises(FieldInvalid, match="two columns would be called split"):
        writers()["csv"].check_options({}, data=[], answer=answer)


@pytest.mark.parametrize(
    "path", ["/a", "../a", "a//b", "a/./b", "a\\b", "", "touchstone/manifest.json", "a\n", "x" * 301]
)
def test_an_archive_has_plain_relative_paths_only(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|folder"):
        check_path(path)

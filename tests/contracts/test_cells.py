"""Exports do not execute (R33): one writer of cells, and no cell of any table that leaves the site is a formula.

A module that writes tables by itself, and a format or an address that gives one out, are found without being named.
"""

import ast
import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.accounts.models import Requester
from marketplace.batches.models import Batch
from marketplace.common.cells import as_csv, safe_cell
from marketplace.projects.answer_types.base import FieldInvalid
from marketplace.projects.interface import check_interface
from marketplace.projects.models import Project
from marketplace.results.gathered import LazyParts
from marketplace.results.writers.base import Answer, Item, Items
from marketplace.results.writers.registry import writers
from tests import factories as make
from tests.api.described import description
from tests.api.market import Market
from tests.api.test_matrix import ROUTES, ask, ids  # noqa: F401  (`ids` is a fixture)
from tests.api.test_openapi import NEEDED
from tests.conftest import ROOT
from tests.results.test_dataset_files import Folder

TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
# What a spreadsheet opens, and what only programs read.
TABLES, OTHERS = {".csv", ".tsv"}, {".json", ".jsonl", ".parquet", ".arrow", ".xml", ".txt", ".png", ".md", ".yaml",
                                     ".conll", ".jpg", ".zip"}  # fmt: skip
RUNS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "＝1", "\t=1", "\r=1", " =1", "\n@x", "'quoted", "−1"]
TEXT = {
    "data": [{"name": "text", "type": "text"}, {"name": "said_before", "type": "text", "required": False}],
    "answer": [{"name": "said", "type": "text"}, {"name": "more", "type": "text", "required": False}],
}

texts = st.one_of(
    st.builds(str.__add__, st.sampled_from(["", *TRIGGERS, " ", "\n", "'", "\ufeff"]), st.text(max_size=6)),
    st.sampled_from(RUNS),
).map(lambda text: text.replace("\0", "").encode(errors="ignore").decode())


def refused_cells(text: str) -> list[str]:
    """The cells of a table that a spreadsheet would run; numbers are none."""
    return [
        cell
        for row in csv.reader(io.StringIO(text, newline=""))
        for cell in row
        if cell.lstrip(" \n").startswith(TRIGGERS) and not NUMBER.fullmatch(cell)
    ]


# --- one writer --------------------------------------------------------------------------------------------------


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in ("marketplace", "workers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def table_writers(tree: ast.Module) -> list[ast.Call]:
    """Where a module makes a writer of tables."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("writer", "DictWriter", "to_csv", "savetxt")
        and (node.func.attr in ("to_csv", "savetxt") or getattr(node.func.value, "id", "") == "csv")
    ]


def unsafe_rows(tree: ast.Module) -> list[int]:
    """Lines where a row is written whose every cell is not said to be safe there, and is not a constant."""
    found = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("writerow", "writerows")
        ):
            (given_row,) = node.args
            constant = isinstance(given_row, ast.List) and all(isinstance(one, ast.Constant) for one in given_row.elts)
            each = isinstance(given_row, ast.ListComp | ast.GeneratorExp) and isinstance(given_row.elt, ast.Call)
            safe = each and getattr(given_row.elt.func, "id", "") in ("safe_cell", "_cell")  # type: ignore[attr-defined]
            if not (constant or safe):
                found.append(node.lineno)
    return found


def test_all_tables_are_written_by_the_one_writer_of_cells() -> None:
    found = {name: table_writers(tree) for name, tree in modules()}
    assert {name for name, calls in found.items() if calls} == {
        "marketplace/common/cells.py",
        "marketplace/payouts/providers/manual.py",
        "marketplace/results/writers/comma_separated.py",
    }
    assert {name: unsafe for name, tree in modules() if (unsafe := unsafe_rows(tree))} == {}


def test_another_writer_would_be_found() -> None:
    tree = ast.parse("import csv\nw = csv.writer(f)\nw.writerow([name, 1])\nw.writerow(safe_row)\nw.writerow(['a'])")
    assert len(table_writers(tree)) == 1
    assert unsafe_rows(tree) == [3, 4]


@given(st.one_of(texts, st.text()))
def test_no_cell_begins_with_a_trigger_and_dropping_one_apostrophe_gives_the_text_back(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(TRIGGERS)
    assert not cell.lstrip(" \n").startswith(TRIGGERS)
    assert (cell.removeprefix("'") if cell.startswith("'") else cell) == text


@given(st.lists(st.tuples(texts, texts), max_size=5), st.tuples(texts, texts).filter(lambda two: two[0] != two[1]))
def test_whole_tables_come_back_as_they_were(cells: list[tuple[str, str]], columns: tuple[str, str]) -> None:
    rows = [dict(zip(columns, pair, strict=True)) for pair in cells]
    text = b"".join(as_csv([*columns], iter(rows))).decode()
    assert refused_cells(text) == []
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert [cell.removeprefix("'") if cell[:1] == "'" else cell for cell in header] == [*columns]
    assert [tuple(cell.removeprefix("'") if cell[:1] == "'" else cell for cell in row) for row in read] == cells


# --- every format of data sets -----------------------------------------------------------------------------------

INTERFACE = check_interface(
    {
        "data": TEXT["data"],
        "answer": [
            {"name": "label", "type": "choice", "labels": [{"value": name} for name in ("=cat", "@dog", "＋bird")]},
            {"name": "tags", "type": "choice", "multiple": True, "labels": [{"value": "-a"}, {"value": "+b|c"}]},
            *TEXT["answer"],
        ],
    }
)
FIELDS = {field["name"]: field for field in INTERFACE["answer"]}


@st.composite
def items(draw: Any) -> list[Item]:
    made = []
    for number in range(draw(st.integers(1, 3))):
        values = {
            "label": draw(st.sampled_from(["=cat", "@dog", "＋bird"])),
            "tags": draw(st.sampled_from([["-a"], ["-a", "+b|c"]])),
            "said": draw(texts) or "x",
        }
        parts = LazyParts(FIELDS, values)
        answer = Answer(
            id=f"={number}", worker="-w_1", values=values, parts=parts, unclear=False, state="accepted",
            submitted_at="2026-11-21T12:11:00+00:00", instruction_version=1,
        )  # fmt: skip
        made.append(
            Item(
                number=number,
                external_id=f"{draw(texts)}{number}",
                data={"text": draw(texts) or "x"},
                values=values,
                parts=parts,
                confidence=dict.fromkeys(values, 0.5),
                votes=dict.fromkeys(values, 1),
                method=dict.fromkeys(values, "=majority"),
                answers=[answer],
            )
        )
    return made


def files_of(name: str, some: list[Item], batch_name: str, root: Path) -> dict[str, bytes] | None:
    """What a format writes; None where it has nothing to say of texts and labels."""
    writer = writers()[name]
    try:
        options = writer.check_options({}, data=INTERFACE["data"], answer=INTERFACE["answer"])
    except FieldInvalid:
        return None
    about = {"project": "=p", "reward": "0.05", "currency": "USD", "overlap": 1, "time_limit_s": 60}
    whole = Items(
        tuple(INTERFACE["data"]), tuple(INTERFACE["answer"]), lambda: iter(some), name=batch_name, about=about
    )
    writer.write(whole, Folder(root), options)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", writers())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=items(), batch_name=texts)
def test_no_format_of_data_sets_has_a_cell_that_runs(name: str, some: list[Item], batch_name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = files_of(name, some, batch_name, Path(folder))
    for path, body in (files or {}).items():
        suffix = Path(path).suffix
        assert suffix in TABLES | OTHERS, f"is {suffix} a table? Say so here"
        if suffix in TABLES:
            assert refused_cells(body.decode()) == [], (name, path)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=items())
def test_the_raw_form_is_faithful(some: list[Item]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = files_of("jsonl", some, "B", Path(folder))
    assert files is not None
    told = [json.loads(line) for body in files.values() for line in body.decode().split("\n") if line]
    assert [row["external_id"] for row in told] == [item.external_id for item in some]
    for row, item in zip(told, some, strict=True):
        assert item.values["said"] in json.dumps(row, ensure_ascii=False) or json.dumps(item.values["said"])[
            1:-1
        ] in json.dumps(row)


# --- every address that gives out a table ------------------------------------------------------------------------


def tables() -> list[str]:
    """Addresses whose answer may be a table, by the description."""
    return [
        path.removeprefix("/api/v1/")
        for path, item in description()["paths"].items()
        if "get" in item and any("text/csv" in reply.get("content", {}) for reply in item["get"]["responses"].values())
    ]


def test_every_table_of_the_api_can_be_opened_in_a_spreadsheet(market: Market, ids: Any) -> None:  # noqa: F811
    run = RUNS[0]
    project = make.make_project(market.requester, TEXT, instructions=run)
    batch = make.make_draft(project, name=run, overlap=1)
    make.add_rows(
        batch,
        [{"external_id": f"{text}{n}", "data": {"text": text, "said_before": run}} for n, text in enumerate(RUNS)],
    )
    make.published(batch)
    for model in (Requester, Project, Batch):
        model.objects.update(name=run)
    claimed = market["worker"].post(f"worker/batches/{batch.public_id}/claim", {"count": 50}).expect(201)
    answers = [
        {"assignment": lease["id"], "token": lease["token"], "values": {"said": text, "more": run}}
        for lease, text in zip(claimed["assignments"], RUNS, strict=False)
    ]
    market["worker"].post("worker/submissions", {"answers": answers}).expect(200)
    at = f"batches/{batch.public_id}"
    market["owner"].post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)
    market["owner"].post(f"{at}/results", {}).expect(201)
    bonus = {"amount_micros": 1_000, "reason": run, "reference": run}
    name = market["owner"].all(f"{at}/answers")[0]["worker"]
    market["owner"].post(f"{at}/bonuses", {"worker": name, **bonus})

    read = {}
    for path in tables():
        may = ROUTES[path].methods["GET"]
        address = path.format(**{**ids["own"], "batch": batch.public_id}) + NEEDED.get(f"/api/v1/{path}", "")
        reply = ask(market, sorted(may.own)[0], "GET", address, may)
        if reply.status != 200:
            continue
        assert refused_cells(reply.body.decode()) == [], path
        read[path] = reply.body.decode().count("\n")
    assert {
        "batches/{batch}/exports/answers.csv",
        "batches/{batch}/exports/results.csv",
        "worker/statement.csv",
    } <= set(read)
    assert read["batches/{batch}/exports/answers.csv"] > 5
    assert set(tables()) - set(read) == set(), "one was not looked at"

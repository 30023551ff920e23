"""The figures of the quality guide are what the product's methods give on the recorded crowds."""

import re
from pathlib import Path

import pytest

from deploy.stack.paths import ROOT
from tests.benchmarks.overlap import of_labels, of_numbers

GUIDE = ROOT / "deploy" / "docs" / "quality.md"


def table(after: str) -> dict[int, list[float]]:
    """The rows of the first table behind a text: what is bought, and what came of it."""
    text = GUIDE.read_text().partition(after)[2].partition("\n\n|")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\d+) \| ([\d. %|]+) \|$", text, re.MULTILINE)
    return {int(overlap): [float(cell.strip(" %")) for cell in cells.split("|")] for overlap, cells in rows}


@pytest.mark.crowd
def test_the_table_of_labels_is_measured(crowds: Path) -> None:
    assert table("Labels (*same* or *different*)") == {
        overlap: [round(100 * found["majority"], 1), round(100 * found["dawid_skene"], 1)]
        for overlap, found in of_labels(crowds).items()
    }


@pytest.mark.crowd
def test_the_table_of_numbers_is_measured(crowds: Path) -> None:
    assert table("Numbers (how strong") == {
        overlap: [found["median"], found["trimmed_mean"], found["worker_bias"]]
        for overlap, found in of_numbers(crowds).items()
    }

"""The list of promises names tests and views that exist, and every view is in it."""

import re
from pathlib import Path

import pytest

from marketplace.common.promises import check_promises

TESTS = Path(__file__).resolve().parents[1]
LIST = (TESTS / "PROMISES.md").read_text()


def test_every_test_that_the_list_names_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", LIST)
    assert len(named) > 30
    missing = [f"{file}::{name}" for file, name in named if not _has(TESTS / file, name)]
    assert missing == []


def _has(file: Path, name: str) -> bool:
    return file.exists() and re.search(rf"^\s*def {name}\(|^{name} = ", file.read_text(), re.MULTILINE) is not None


@pytest.mark.django_db
def test_the_list_names_exactly_the_views_that_are_checked_and_each_once() -> None:
    assert sorted(re.findall(r"`(inv_r\w+)`", LIST)) == sorted(finding.name for finding in check_promises())


def test_the_list_is_in_the_order_of_its_numbers() -> None:
    numbers = [int(number) for number in re.findall(r"^\| R(\d+) \|", LIST, re.MULTILINE)]
    assert numbers == sorted(numbers)

"""What writers of files are tested with."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

import pytest

from marketplace.projects.answer_types.parts import Box, Class, Polygon, Polyline
from marketplace.results.writers import said
from marketplace.results.writers.base import Item, Items
from tests.results.formats.sample import (
    BIG,
    HEIGHT,
    IMAGE,
    KINDS,
    OUTLINE,
    PERSON,
    SHAPES,
    SMALL,
    WIDTH,
    items_of,
    mask_of,
    picture_url,
)


@pytest.fixture(autouse=True)
def kinds_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers are tested by themselves: what each type says is fixed here."""
    monkeypatch.setattr(said, "answer_type", stand_in)


def stand_in(name: str) -> Any:
    """A type of which only the kinds of its parts are known."""

    class Type:
        def parts(self) -> Any: ...

    Type.parts.__annotations__["return"] = Iterable[reduce(or_, KINDS[name])]
    return Type()


@pytest.fixture
def shapes() -> Items:
    """Two pictures in train and one in val; the last one of train has nothing on it."""
    parts = {
        "boxes": (Box("tree", 0, 0.5, 10.25, 20), Box("car", 30, 20, 30, 20)),
        "outlines": (Polygon("house", OUTLINE),),
        "lines": (Polyline("lane", ((0.0, 39.0), (20.0, 20.0), (59.5, 1.5))),),
        "people": (PERSON,),
        "pixels": (mask_of("road", BIG, 1), mask_of("sky", SMALL)),
        "weather": (Class(("rain",)),),
    }
    photo = picture_url(HEIGHT, WIDTH)
    return items_of(
        [IMAGE], SHAPES,
        [
            Item(0, "a street.png", {"photo": photo}, {}, parts, {"boxes": 0.875}, split="train"),
            Item(1, "b/empty.png", {"photo": photo}, {}, {"boxes": ()}, split="train"),
            Item(2, "c.png", {"photo": photo}, {}, {"boxes": (Box("car", 1, 2, 3, 4),)}, split="val"),
        ],
        ("train", "val"),
    )  # fmt: skip

"""There is a beginning for each answer type: an interface that is right, instructions, and something to look at."""

from typing import Any

import pytest

from marketplace.common.errors import NotFound
from marketplace.pages.markdown import fresh_html_of
from marketplace.projects.answer_types.registry import answer_types
from marketplace.projects.interface import InterfaceInvalid, check_interface, clean_data
from marketplace.projects.starters import Starter, starter_of, starters

MEDIA = {"image": "https://a.example/a.png", "audio": "https://a.example/a.wav", "video": "https://a.example/a.mp4"}


def test_every_answer_type_has_one_and_there_is_none_without() -> None:
    assert set(starters()) == set(answer_types())
    with pytest.raises(NotFound):
        starter_of("sculpture")


@pytest.mark.parametrize("starter", starters().values(), ids=starters())
def test_a_starter_is_a_whole_project(starter: Starter) -> None:
    interface = check_interface(starter.interface)

    assert interface["answer"][0]["type"] == starter.type
    shown = {field["name"]: MEDIA.get(field["type"]) for field in interface["data"]}
    data: dict[str, Any] = {**{name: value for name, value in shown.items() if value}, **starter.sample}
    assert set(clean_data(interface, data)) == set(shown)
    assert len(starter.instructions) > 300
    assert "<h4>How to</h4>" in fresh_html_of(starter.instructions)
    assert str(starter.title)
    assert str(starter.summary).endswith(".")


@pytest.mark.parametrize("starter", starters().values(), ids=starters())
def test_what_workers_choose_from_says_when_it_is_meant(starter: Starter) -> None:
    fields = starter.interface["answer"]
    labels = [label for field in fields for label in field.get("labels", ()) if isinstance(label, dict)]
    assert all(label.get("definition") and label.get("hotkey") for label in labels)


def test_labels_may_name_one_of_the_colours_that_pages_have() -> None:
    def labelled(colour: Any) -> Any:
        labels = [{"value": "a", "colour": colour}, {"value": "b"}]
        return {"data": [], "answer": [{"name": "l", "type": "choice", "labels": labels}]}

    assert check_interface(labelled(8))["answer"][0]["labels"] == [
        {"value": "a", "title": "a", "colour": 8},
        {"value": "b", "title": "b"},
    ]
    for colour in (0, 9, "red", True, "#ff0000", "url(javascript:alert(1))"):
        with pytest.raises(InterfaceInvalid) as refused:
            check_interface(labelled(colour))
        assert refused.value.errors == [
            {"field": "answer[0].labels[0].colour", "message": "must be a whole number from 1 to 8"}
        ]

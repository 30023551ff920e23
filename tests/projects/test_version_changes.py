"""What is different between two versions: found by names, whatever moved."""

from typing import Any

import pytest

from marketplace.common.transactions import one_transaction
from marketplace.projects.changes import Change, Kind, Line, instruction_changes, interface_changes
from marketplace.projects.commands import add_version, change_version, publish_version, rename_project
from marketplace.projects.errors import InterfaceRefused, VersionChanged, VersionFinal
from marketplace.projects.interface import check_interface
from tests import factories as make


def interface(*labels: dict[str, Any], **field: Any) -> dict[str, Any]:
    return check_interface(
        {
            "data": [{"name": "text", "type": "text"}],
            "answer": [{"name": "animal", "type": "choice", "labels": list(labels), **field}],
        }
    )


CAT, DOG = {"value": "cat", "title": "Cat"}, {"value": "dog", "title": "Dog"}
LABELS = ("answer", "animal", "labels")


def test_the_same_is_no_change() -> None:
    assert interface_changes(interface(CAT, DOG), interface(CAT, DOG)) == []
    assert instruction_changes("a\nb", "a\nb") == []


def test_labels_are_found_by_their_value_wherever_they_stand() -> None:
    before = interface(CAT, {**DOG, "definition": "Any dog."})
    after = interface({"value": "bird", "title": "Bird"}, {**DOG, "title": "Hound"}, CAT)

    assert interface_changes(before, after) == [
        Change(Kind.ADDED, (*LABELS, "bird"), None, {"value": "bird", "title": "Bird"}),
        Change(Kind.CHANGED, (*LABELS, "dog", "title"), "Dog", "Hound"),
        Change(Kind.REMOVED, (*LABELS, "dog", "definition"), "Any dog.", None),
        Change(Kind.CHANGED, (*LABELS, "order"), ["cat", "dog"], ["dog", "cat"]),
    ]


def test_options_and_fields_that_come_and_go_are_told() -> None:
    before, after = interface(CAT, DOG), interface(CAT, DOG, required=False)
    after["data"] = [{"name": "picture", "type": "image", "title": "Picture", "required": True}]

    assert interface_changes(before, after) == [
        Change(Kind.ADDED, ("data", "picture"), None, after["data"][0]),
        Change(Kind.REMOVED, ("data", "text"), before["data"][0], None),
        Change(Kind.CHANGED, ("answer", "animal", "required"), True, False),
    ]


def test_instructions_are_compared_line_by_line_and_what_is_far_away_is_left_out() -> None:
    before = [str(number) for number in range(20)]
    after = [*before[:9], "nine", *before[10:]]

    lines = instruction_changes("\n".join(before), "\n".join(after))

    assert lines == [
        Line(None, None),
        *(Line(None, str(number)) for number in (6, 7, 8)),
        Line(Kind.REMOVED, "9"),
        Line(Kind.ADDED, "nine"),
        *(Line(None, str(number)) for number in (10, 11, 12)),
        Line(None, None),
    ]


def test_very_long_instructions_are_shown_whole_and_not_compared() -> None:
    lines = instruction_changes("a\n" * 3_000, "b\n" * 3_000)
    assert [line.kind for line in lines] == [Kind.REMOVED] * 3_000 + [Kind.ADDED] * 3_000


@pytest.mark.django_db
def test_a_draft_is_written_anew_and_a_published_version_is_not() -> None:
    project = make.make_project()
    with one_transaction(principal="test"):
        draft = add_version(project_id=project.pk, interface=make.INTERFACE, instructions="Look.")
    terms: dict[str, Any] = {"project": project, "number": 2, "interface": interface(CAT, DOG)}
    with one_transaction(principal="test"):
        changed = change_version(**terms, instructions="Look twice.", made_from=draft.fingerprint)

    assert (changed.instructions, changed.fingerprint != draft.fingerprint) == ("Look twice.", True)
    with pytest.raises(VersionChanged), one_transaction(principal="test"):
        change_version(**terms, instructions="Look once.", made_from=draft.fingerprint)
    with pytest.raises(InterfaceRefused), one_transaction(principal="test"):
        change_version(**{**terms, "interface": {"answer": []}}, instructions="")
    with one_transaction(principal="test"):
        publish_version(project=project, number=2)
    with pytest.raises(VersionFinal), one_transaction(principal="test"):
        change_version(**terms, instructions="Look once.")
    assert project.versions.get(number=2).instructions == "Look twice."


@pytest.mark.django_db
def test_a_project_is_renamed() -> None:
    project = make.make_project()
    with one_transaction(principal="test"):
        rename_project(project=project, name="Beasts")
    project.refresh_from_db()
    assert project.name == "Beasts"

"""Tasks of Label Studio as rows of an import."""

import pytest

from marketplace.projects.interface import check_interface, clean_key
from marketplace.projects.label_studio.configs import interface_of
from marketplace.projects.label_studio.items import PAINTED_MAX, read_task

SOUND = '<Audio name="a" value="$sound"/>'
MARKED = f"""<View>{SOUND}<Labels name="mark" toName="a"><Label value="Speech"/></Labels>
    <TextArea name="said" toName="a" perRegion="true"/></View>"""
BRUSH = """<View><Image name="img" value="$image"/>
    <BrushLabels name="sky" toName="img"><Label value="x"/></BrushLabels></View>"""


def test_a_config_in_its_normal_form_stays_as_it_is() -> None:
    interface = interface_of(BRUSH).interface
    assert check_interface(interface) == interface


def test_labels_that_mark_where_something_is_said_do_not_stand_in_the_way_of_a_key() -> None:
    interface = interface_of(MARKED).interface
    place = {"start": 0, "end": 1.5}
    results = [
        {"id": "r", "from_name": "mark", "to_name": "a", "type": "labels", "value": {**place, "labels": ["Speech"]}},
        {"id": "r", "from_name": "said", "to_name": "a", "type": "textarea", "value": {**place, "text": ["hello"]}},
    ]
    raw = {"id": 1, "data": {"sound": "https://a.example/1.wav"}, "annotations": [{"ground_truth": True}]}
    raw["annotations"][0]["result"] = results  # type: ignore[index]
    read = read_task(interface, raw, 1)

    assert read.faults == ()
    assert clean_key(interface, read.fields["gold"]) == {"said": [{**place, "text": "hello"}]}
    raw["annotations"][0]["result"] = [{**results[0], "id": "alone"}, results[1]]  # type: ignore[index]
    assert [name for name, _ in read_task(interface, raw, 1).faults] == ["annotations[0].result[0]"]


@pytest.mark.parametrize("sides", [(PAINTED_MAX + 1, 1), (2**13, 2**12)])
def test_masks_of_more_pixels_than_are_drawn_for_one_task_are_refused(sides: tuple[int, int]) -> None:
    size = {"original_width": sides[0], "original_height": sides[1]}
    one = {"id": "r", "from_name": "sky", "to_name": "img", "type": "brushlabels", **size,
           "value": {"format": "rle", "rle": [0] * 20, "brushlabels": ["x"]}}  # fmt: skip
    raw = {"id": 1, "data": {"image": "https://a.example/1.png"}, "annotations": [{"ground_truth": 1, "result": [one]}]}
    ((name, message),) = read_task(interface_of(BRUSH).interface, raw, 1).faults
    assert (name, "pixels" in message) == ("annotations[0].result[0]", True)

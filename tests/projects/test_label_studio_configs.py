"""Labelling configs of Label Studio, read into interfaces."""

import pytest

from marketplace.projects.answer_types.registry import answer_types
from marketplace.projects.interface import InterfaceInvalid, check_interface
from marketplace.projects.label_studio.configs import read_config

IMAGE = '<Image name="img" value="$image"/>'
TEXT = '<Text name="txt" value="$text"/>'
CHOICES = '<Choices name="kind" toName="{}"><Choice value="a"/><Choice value="b"/></Choices>'

EVERYTHING = f"""
<View>
  <Style>.x {{ color: red }}</Style>
  <Header value="Look at this"/>
  <View style="display: flex">{IMAGE}{TEXT}<Audio name="snd" value="$sound"/><Video name="vid" value="$film"/>
    <Text name="second" value="$other"/><Text name="fixed" value="Read carefully"/></View>
  <Choices name="kind" toName="img" choice="single-radio" required="true">
    <Choice value="Cat or dog" alias="pet" hint="Not wild" hotkey="c"/><Choice value="none" hotkey="ctrl+n"/></Choices>
  <Choices name="many" toName="txt" choice="multiple"><Choice value="x"/><Choice value="y"/></Choices>
  <Taxonomy name="tree" toName="txt" leafsOnly="true"><Choice value="animal">
    <Choice value="dog"/><Choice value="cat"/></Choice></Taxonomy>
  <Rating name="stars" toName="txt" maxRating="7"/>
  <Number name="count" toName="txt" min="0" max="10.5" step="0.1"/>
  <TextArea name="note" toName="txt" rows="3"/>
  <Pairwise name="better" toName="txt,second"/>
  <RectangleLabels name="boxes" toName="img"><Label value="car" background="red"/></RectangleLabels>
  <PolygonLabels name="outlines" toName="img"><Label value="house"/></PolygonLabels>
  <VectorLabels name="lines" toName="img"><Label value="lane"/></VectorLabels>
  <KeyPointLabels name="points" toName="img"><Label value="nose"/></KeyPointLabels>
  <BrushLabels name="pixels" toName="img"><Label value="sky"/></BrushLabels>
  <Labels name="names" toName="txt"><Label value="PER"/></Labels>
  <Relations><Relation value="knows"/></Relations>
  <Labels name="speakers" toName="snd"><Label value="Ann"/><Label value="Bob"/></Labels>
  <TextArea name="speech" toName="snd" perRegion="true"/>
  <VideoRectangle name="cars" toName="vid"/><Labels name="carLabels" toName="vid"><Label value="car"/></Labels>
</View>
"""


def refused(text):
    """What is wrong with a config: [(field, message)]."""
    with pytest.raises(InterfaceInvalid) as found:
        read_config(text)
    return [(error["field"], error["message"]) for error in found.value.errors]


def test_every_tag_that_has_a_type_of_ours_becomes_a_field():
    config = read_config(EVERYTHING)
    fields = {field["name"]: field for field in config.interface["answer"]}

    assert {field["name"]: field["type"] for field in config.interface["data"]} == {
        "image": "image", "text": "text", "sound": "audio", "film": "video", "other": "text",
    }  # fmt: skip
    assert {name: field["type"] for name, field in fields.items()} == {
        "kind": "choice", "many": "choice", "tree": "taxonomy", "stars": "rating", "count": "number", "note": "text",
        "better": "preference", "boxes": "boxes", "outlines": "polygons", "lines": "polylines", "points": "keypoints",
        "pixels": "mask", "names": "spans", "speakers": "segments", "speech": "transcription", "cars": "tracks",
    }  # fmt: skip
    assert fields["kind"]["labels"] == [
        {"value": "pet", "title": "Cat or dog", "definition": "Not wild", "hotkey": "c"},
        {"value": "none", "title": "none"},
    ]
    assert (fields["kind"]["required"], fields["many"]["required"]) == (True, False)
    assert (fields["stars"]["points"], fields["count"]["integer"], fields["count"]["maximum"]) == (7, False, 10.5)
    assert (fields["better"]["left"], fields["better"]["right"]) == ("text", "other")
    assert fields["names"]["relations"] == [{"value": "knows", "title": "knows"}]
    assert {field["of"] for field in fields.values() if field["type"] in ("boxes", "mask", "polygons")} == {"image"}
    assert config.controls["carLabels"] == "cars"


def test_what_is_read_passes_the_check_of_interfaces():
    interface = read_config(EVERYTHING).interface
    known = [field for field in interface["answer"] if field["type"] in answer_types()]

    checked = check_interface({"data": interface["data"], "answer": known})

    assert [field["name"] for field in checked["answer"]] == [field["name"] for field in known]
    assert len(known) >= 6


@pytest.mark.parametrize(
    "tag",
    ["Ranker", "TimeSeriesLabels", "HyperTextLabels", "ParagraphLabels", "EllipseLabels", "MagicWand", "DateTime",
     "Rectangle", "OcrLabels", "BitmaskLabels", "List", "HyperText", "TimelineLabels", "ReactCode"],
)  # fmt: skip
def test_a_tag_without_a_type_of_ours_is_named(tag):
    found = refused(f'<View>{IMAGE}{CHOICES.format("img")}<{tag} name="n" toName="img"/></View>')

    assert found == [(f"{tag} n", "has no answer type of ours")]


def test_all_that_is_wrong_is_said_at_once():
    found = refused(f'<View>{IMAGE}<Ranker name="a"/><DateTime name="b"/><Rating name="c" toName="nobody"/></View>')

    assert [field for field, _ in found] == ["Ranker a", "DateTime b", "Rating c"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (TEXT + CHOICES.format("nobody"), "about nobody"),
        (TEXT + '<Choices name="k" toName="txt" value="$options"/>', "labels from each task"),
        (TEXT + '<Choices name="k" toName="txt"><Choice value="$x"/></Choices>', "labels from each task"),
        (TEXT + '<Choices name="k" toName="txt" perRegion="true"/>', "about each region"),
        (TEXT + '<Choices name="k" toName="txt"><Choice value="a"><Choice value="b"/></Choice></Choices>', "within"),
        (TEXT + '<Rating name="k" toName="txt" maxRating="many"/>', "number as maxRating"),
        (TEXT + '<Number name="k" toName="txt" min="nan"/>', "number as min"),
        (TEXT + '<RectangleLabels name="k" toName="txt"/>', "only for image"),
        (IMAGE + '<Labels name="k" toName="img"/>', "RectangleLabels"),
        (TEXT + '<Pairwise name="k" toName="txt"/>', "two things"),
        (IMAGE + '<Relations><Relation value="x"/></Relations>' + CHOICES.format("img"), "spans of text only"),
        ('<Video name="v" value="$v"/><VideoRectangle name="k" toName="v"/>', "one Labels tag"),
        ('<Text name="t" value="$a.b"/>' + CHOICES.format("t"), "plain name"),
        ('<Text name="t" value="$a" valueType="url"/>' + CHOICES.format("t"), "not fetched"),
        (TEXT + '<Image name="i" value="$text"/>' + CHOICES.format("txt"), "another way"),
        (TEXT + CHOICES.format("txt") * 2, "name of another control"),
        (TEXT + CHOICES.format("txt").replace("kind", "a kind"), "letters, digits"),
        (TEXT + '<Taxonomy name="k" toName="txt" apiUrl="x"/>', "tree from elsewhere"),
        (TEXT + '<View visibleWhen="region-selected">' + CHOICES.format("txt") + "</View>", "region-selected"),
        (TEXT, "no control"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_words(body, words):
    assert any(words in message for _, message in refused(f"<View>{body}</View>"))


@pytest.mark.parametrize(
    "text",
    ["", "<View>", "no xml", "\0", '<!DOCTYPE a [<!ENTITY x "y">]><View>&x;</View>', "<View>" * 60 + "</View>" * 60,
     "<View/>" + " " * 2**20, "<View/>\ud800"],
)  # fmt: skip
def test_what_is_no_config_is_refused(text):
    assert refused(text)


def test_a_view_that_is_shown_after_a_choice_is_a_conditional_field():
    config = read_config(
        f"""<View>{TEXT}{CHOICES.format("txt")}
        <View visibleWhen="choice-selected" whenTagName="kind" whenChoiceValue="a">
          <TextArea name="why" toName="txt"/>
          <Rating name="how" toName="txt" visibleWhen="choice-selected" whenTagName="kind" whenChoiceValue="a,b"/>
          <Number name="much" toName="txt" visibleWhen="choice-selected" whenTagName="kind"/>
        </View></View>"""
    )

    assert [field.get("show_if") for field in config.interface["answer"]] == [
        None,
        {"field": "kind", "is": "a"},
        {"field": "kind", "any_of": ["a", "b"]},
        {"field": "kind", "answered": True},
    ]


def test_one_label_on_a_sound_only_marks_what_is_written_down():
    config = read_config(
        """<View><Audio name="a" value="$sound"/><Labels name="mark" toName="a"><Label value="Speech"/></Labels>
        <TextArea name="said" toName="a" perRegion="true"/></View>"""
    )

    assert [(field["name"], field["type"]) for field in config.interface["answer"]] == [("said", "transcription")]

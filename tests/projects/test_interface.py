import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.projects.answer_types.registry import answer_types
from marketplace.projects.interface import (
    InterfaceInvalid,
    ValuesInvalid,
    check_interface,
    clean_data,
    clean_key,
    clean_values,
    json_fields,
    values_schema,
)

LABELS = [{"value": "same", "hotkey": "1"}, {"value": "different", "hotkey": "2"}]
VALUES = ", ".join(label["value"] for label in LABELS)
CHOICE = {"name": "label", "type": "choice", "labels": LABELS}
RAW = {
    "data": [
        {"name": "left", "type": "table", "title": "Left offer"},
        {"name": "note", "type": "text", "required": False},
    ],
    "answer": [CHOICE, {"name": "why", "type": "text", "required": False, "max_length": 20}],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def interface_of(*data, answer=(CHOICE,)):
    return check_interface({"data": list(data), "answer": list(answer)})


def refusals(call, *arguments):
    """What a call refuses, as {field: message}."""
    with pytest.raises((InterfaceInvalid, ValuesInvalid)) as caught:
        call(*arguments)
    return {error["field"]: error["message"] for error in caught.value.errors}


def refusal_of_value(kind, value):
    return refusals(clean_data, interface_of({"name": "it", "type": kind}), {"it": value})["it"]


def cleaned_value(kind, value):
    return clean_data(interface_of({"name": "it", "type": kind}), {"it": value})["it"]


def test_a_checked_interface_has_its_defaults_filled_in():
    assert check_interface(RAW) == {
        "data": [
            {"name": "left", "type": "table", "title": "Left offer", "required": True},
            {"name": "note", "type": "text", "title": "note", "required": False},
        ],
        "answer": [
            {
                "name": "label",
                "type": "choice",
                "title": "label",
                "required": True,
                "multiple": False,
                "labels": [
                    {"value": "same", "title": "same", "hotkey": "1"},
                    {"value": "different", "title": "different", "hotkey": "2"},
                ],
            },
            {"name": "why", "type": "text", "title": "why", "required": False, "max_length": 20},
        ],
    }


def test_checking_a_checked_interface_changes_nothing_and_its_input_stays_as_it_was():
    before = json.dumps(RAW)
    checked = check_interface(RAW)

    assert check_interface(checked) == checked
    assert json.dumps(RAW) == before


def test_all_that_is_wrong_is_reported_at_once():
    raw = {
        "datas": [],
        "data": [{"name": "1st", "type": "text"}, {"name": "b", "type": "pdf"}, {"name": "b", "type": "text"}, "x"],
        "answer": [
            {"name": "label", "type": "choice", "labels": [{"value": "a"}, {"value": "a", "color": "red"}], "min": 1},
            {"name": "how", "type": "essay"},
            {"name": "n", "type": "number", "minimum": 3, "maximum": 1, "step": 1},
        ],
    }

    assert refusals(check_interface, raw) == {
        "datas": "is not known",
        "data[0].name": "must be 1 to 64 letters, digits and underscores, beginning with a letter",
        "data[1].type": "must be one of text, markdown, image, audio, video, table, url",
        "data[2].name": "is the name of another field too",
        "data[3]": "must be an object",
        "answer[0].min": "is only for choices with multiple: true",
        "answer[0].labels[1].value": "is the value of another label too",
        "answer[0].labels[1].color": "is not known",
        "answer[1].type": f"must be one of {', '.join(answer_types())}",
        "answer[2].minimum": "must be less than maximum",
        "answer[2].step": "is not known",
    }


@pytest.mark.parametrize("raw", [None, [], "x", 3])
def test_an_interface_that_is_no_object_is_refused(raw):
    assert refusals(check_interface, raw) == {"": "must be an object with data and answer"}


def test_an_interface_asks_something_and_has_at_most_100_fields():
    many = [{"name": f"f{number}", "type": "text"} for number in range(101)]

    assert refusals(check_interface, {"data": [], "answer": []}) == {"answer": "must be a list of 1 to 100 fields"}
    assert refusals(check_interface, {"data": many, "answer": [CHOICE]}) == {
        "data": "must be a list of 0 to 100 fields"
    }
    assert len(check_interface({"data": many[:100], "answer": [CHOICE]})["data"]) == 100


def test_an_interface_has_at_most_a_mebibyte():
    labels = [{"value": str(number), "definition": "x" * 2_000} for number in range(500)]
    fields = [{"name": f"f{number}", "type": "choice", "labels": labels} for number in range(2)]

    assert check_interface({"answer": fields[:1]})["answer"][0]["labels"][499]["value"] == "499"
    assert refusals(check_interface, {"answer": fields}) == {"": "must have at most 1048576 bytes"}


@pytest.mark.parametrize("name", ["external_id", "worker", "state", "submitted_at", "instruction_version"])
def test_an_answer_field_cannot_take_the_name_of_an_export_column(name):
    assert refusals(check_interface, {"answer": [{**CHOICE, "name": name}]}) == {
        "answer[0].name": "is the name of a column of every export; take another"
    }


def test_text_that_the_database_refuses_is_refused_in_declarations():
    assert refusals(check_interface, {"answer": [{**CHOICE, "title": "a\0b", "help": "\ud800"}]}) == {
        "answer[0].title": "must not contain the character NUL",
        "answer[0].help": "must not contain half a surrogate pair",
    }


@given(json_values)
def test_any_json_is_either_an_interface_or_refused_as_one(raw):
    for candidate in (raw, {"answer": raw}, {"answer": [raw]}, {"data": [raw], "answer": [{**CHOICE, "help": raw}]}):
        try:
            checked = check_interface(candidate)
        except InterfaceInvalid as invalid:
            assert invalid.errors
        else:
            assert check_interface(checked) == checked


@given(json_values)
def test_any_json_is_either_data_or_refused_as_such(raw):
    kinds = ["text", "markdown", "image", "audio", "video", "table", "url"]
    interface = interface_of(*({"name": kind, "type": kind, "required": False} for kind in kinds))

    for candidate in (raw, dict.fromkeys(kinds, raw)):
        try:
            cleaned = clean_data(interface, candidate)
        except ValuesInvalid as invalid:
            assert invalid.errors
        else:
            assert clean_data(interface, cleaned) == cleaned
            json.dumps(cleaned, allow_nan=False).encode()
            assert "\\u0000" not in json.dumps(cleaned)


def test_data_is_returned_as_declared_without_what_is_absent():
    interface = check_interface(RAW)

    assert clean_data(interface, {"note": "", "left": {"name": "Lamp", "price": None}}) == {
        "left": {"name": "Lamp", "price": None}
    }


def test_missing_wrong_and_unknown_data_are_all_named():
    interface = check_interface(RAW)

    assert refusals(clean_data, interface, {"note": 3, "right": {}}) == {
        "left": "is required",
        "note": "must be text",
        "right": "is not a field",
    }
    assert refusals(clean_data, interface, []) == {"": "must be an object"}


@pytest.mark.parametrize("empty", [None, "", " \n", {}, []])
def test_an_empty_value_of_a_required_field_is_missing(empty):
    kind = "table" if isinstance(empty, dict | list) else "text"

    assert refusal_of_value(kind, empty) == "is required"


@pytest.mark.parametrize("kind", ["image", "audio", "video", "url"])
@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "https://example.org:8080/a?b=c#d",
        "https://[2001:db8::1]/x",
        "https://bücher.example/ü",
        "HTTPS://EXAMPLE.ORG",
    ],
)
def test_web_addresses_are_kept_as_they_are(kind, url):
    assert cleaned_value(kind, url) == url


@pytest.mark.parametrize("kind", ["image", "audio", "video", "url"])
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html;base64,PGI+",
        "data:image/svg+xml;base64,PGI+",
        "ftp://example.org/a",
        "file:///etc/passwd",
        "//example.org/a",
        "/a.png",
        "a.png",
        "https:",
        "https:///a",
        "http://",
        "https://user:secret@example.org/",
        "https://example.org\\@evil.example/",
        "https://example.org/a b",
        "https://example.org:99999/",
        "https://[::1/",
        "blob:https://example.org/1",
        "https://example.org/\0",
        "https://example.org/" + "a" * 4_096,
    ],
)
def test_other_addresses_are_refused(kind, url):
    assert refusal_of_value(kind, url)


def test_what_pages_load_must_come_over_https_and_a_link_need_not():
    plain = "HTTP://example.org:8080/a?b=c#d"

    assert cleaned_value("url", plain) == plain
    for kind in ("image", "audio", "video"):
        assert "pages show media over https only" in refusal_of_value(kind, plain)


def test_only_images_and_sounds_may_be_data_urls():
    pixel, click = "data:image/png;base64,iVBORw0KGgo=", "data:audio/wav;base64,UklGRg=="

    assert cleaned_value("image", pixel) == pixel
    assert cleaned_value("audio", click) == click
    assert refusal_of_value("audio", pixel) == (
        "must be a URL, or data:audio/wav, mpeg, ogg, webm or mp4 in base64 of at most 65536 bytes"
    )
    assert "data:image/png, jpeg, gif or webp" in refusal_of_value("image", click)
    assert "begins with https" in refusal_of_value("video", click)
    assert "begins with https" in refusal_of_value("url", pixel)
    assert refusal_of_value("image", "data:image/png;base64,iVBORw0KGgo") == "is not base64"
    assert "in base64 of at most" in refusal_of_value("image", "data:image/png;base64," + "A" * 65_536)
    assert "in base64 of at most" in refusal_of_value("image", "DATA:image/svg+xml;base64,PGI+")


def test_text_is_bounded_and_free_of_what_the_database_refuses():
    assert cleaned_value("text", "ä" * 32_768) == "ä" * 32_768
    assert refusal_of_value("text", "ä" * 32_769) == "must have at most 65536 bytes"
    assert refusal_of_value("markdown", "a\0b") == "must not contain the character NUL"
    assert refusal_of_value("text", "\udc00") == "must not contain half a surrogate pair"


def test_a_table_is_an_object_of_scalars_or_a_list_of_such():
    row = {"name": "Lamp", "price": 12.5, "stock": 3, "new": True, "size": None}

    assert cleaned_value("table", row) == row
    assert cleaned_value("table", [row, row]) == [row, row]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("text", "must be an object of"),
        ([["a"]], "must be an object of"),
        ({"a": {"b": 1}}, "nothing nested"),
        ({"a": [1]}, "nothing nested"),
        ({"a": float("nan")}, "finite numbers"),
        ({"a": float("-inf")}, "finite numbers"),
        ({"a": 2**63}, "finite numbers"),
        ({"a": "x\0"}, "NUL"),
        ({"a\0": "x"}, "NUL"),
        ({"a" * 201: "x"}, "column names"),
        ({"a": "x" * 65_536}, "at most 65536 bytes"),
        ([{"a": 1}] * 1_001, "at most 1000 rows"),
        ({str(number): 1 for number in range(101)}, "at most 100 columns"),
    ],
)
def test_other_tables_are_refused(table, message):
    assert message in refusal_of_value("table", table)


def test_deep_nesting_is_refused_without_being_walked():
    deep = []
    for _ in range(100_000):
        deep = [deep]

    assert refusals(check_interface, {"answer": deep})
    assert refusal_of_value("table", deep)
    assert refusals(clean_values, check_interface(RAW), {"label": deep, "why": deep}).keys() == {"label", "why"}


def test_values_are_typed_and_complete():
    interface = check_interface(RAW)

    assert clean_values(interface, {"why": "  both lamps\r\n", "label": "same"}) == {
        "label": "same",
        "why": "both lamps",
    }
    assert clean_values(interface, {"label": "same", "why": "   "}) == {"label": "same"}
    assert refusals(clean_values, interface, {"label": None, "why": "x" * 21, "note": "x"}) == {
        "label": "is required",
        "why": "must have at most 20 characters",
        "note": "is not a field",
    }
    assert refusals(clean_values, interface, {"label": "equal"}) == {
        "label": f"must be the value of one of the labels: {VALUES}"
    }


@given(json_values)
def test_any_json_is_either_an_answer_or_refused_as_one(raw):
    multiple = {**CHOICE, "name": "all", "multiple": True, "min": 0}
    kinds = ["text", "number", "rating"]
    interface = interface_of(answer=[CHOICE, multiple, *({"name": kind, "type": kind} for kind in kinds)])
    names = [field["name"] for field in interface["answer"]]

    for name in names:
        right = {"label": "same", "all": [], "text": "x", "number": 1, "rating": 1}
        try:
            cleaned = clean_values(interface, {**right, name: raw})
        except ValuesInvalid as invalid:
            assert [error["field"] for error in invalid.errors] == [name]
        else:
            assert clean_values(interface, cleaned) == cleaned
            json.dumps(cleaned, allow_nan=False).encode()


def test_a_key_may_answer_some_fields_but_not_none():
    interface = check_interface(RAW)

    assert clean_key(interface, {"why": "same brand"}) == {"why": "same brand"}
    assert refusals(clean_key, interface, {}) == {"": "must give the right value of at least one answer field"}
    assert refusals(clean_key, interface, {"why": ""}) == {"": "must give the right value of at least one answer field"}
    assert refusals(clean_key, interface, {"label": "equal", "left": 1}) == {
        "label": f"must be the value of one of the labels: {VALUES}",
        "left": "is not a field",
    }
    assert refusals(clean_key, interface, "same") == {"": "must be an object"}


def test_the_schema_of_values_names_every_field():
    assert values_schema(check_interface(RAW)) == {
        "type": "object",
        "properties": {
            "label": {"title": "label", "type": "string", "enum": ["same", "different"]},
            "why": {"title": "why", "type": "string", "maxLength": 20},
        },
        "required": ["label"],
        "additionalProperties": False,
    }


def test_csv_columns_that_hold_more_than_text_hold_json():
    numbers = [{"name": "size", "type": "number"}, {"name": "stars", "type": "rating"}]
    several = {**CHOICE, "name": "tags", "multiple": True}
    interface = interface_of({"name": "left", "type": "table"}, answer=[CHOICE, several, *numbers])

    assert json_fields(interface) == {"data.left", "gold.tags", "gold.size", "gold.stars"}

"""Fields that refuse in words what no table could hold, no reader would take twice alike, or no calendar has."""

from datetime import date
from typing import Any

import pytest
from django import forms

from marketplace.pages.fields import DayField, JsonField


class JsonForm(forms.Form):
    it = JsonField(required=False, length=2_000)


class DayForm(forms.Form):
    it = DayField()


def errors(text: str) -> str:
    form = JsonForm({"it": text})
    assert not form.is_valid()
    # As a page would say it: what cannot be encoded cannot be sent either.
    return str(form["it"].errors).encode().decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ('{"a": 1, "a": 2}', "occurs twice"),
        ('{"\\ud800": 1}', "half of a surrogate pair"),
        ('{"a": ["\\uDFFF"]}', "half of a surrogate pair"),
        ('{"a": "\\u0000"}', "the character NUL"),
        ('{"a": "x\x00"}', "not valid JSON"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1e999}', "too large"),
        (f'{{"a": {"9" * 1_900}9}}', ""),
        ('{"a": ' + "[" * 1_500, "nested too deeply"),
        ('{"a": ' + "[" * 120 + "]" * 120 + "}", "nested too deeply"),
        ("[]", "must be a JSON object"),
        ("7", "must be a JSON object"),
        ('{"a": "' + "x" * 2_000 + '"}', "longer than 2000 characters"),
    ],
)
def test_json_that_no_rule_could_judge_is_refused_in_words(text: str, words: str) -> None:
    if words:
        assert words in errors(text).replace("&quot;", '"')
    else:
        assert JsonForm({"it": text}).is_valid(), "a number may be long as far as Python reads it"


def test_a_number_beyond_what_python_reads_is_refused() -> None:
    class Long(forms.Form):
        it = JsonField(required=False)

    form = Long({"it": f'{{"a": {"9" * 10_000}}}'})
    assert not form.is_valid() and "not valid JSON" in str(form.errors)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("  ", None),
        ("null", None),
        ("{}", {}),
        ('{"a": [1.5, "ü", "\\ud83d\\ude00"]}', {"a": [1.5, "ü", "😀"]}),
    ],
)
def test_an_object_is_read_as_it_is_and_nothing_is_none(text: str, found: Any) -> None:
    form = JsonForm({"it": text})
    assert form.is_valid() and form.cleaned_data["it"] == found


def test_what_was_typed_is_kept_and_what_was_stored_is_written_for_people() -> None:
    assert "{&quot;a&quot;: nonsense" in str(JsonForm({"it": '{"a": nonsense'})["it"])
    assert "{\n  &quot;a&quot;: 1\n}" in str(JsonForm(initial={"it": {"a": 1}})["it"])
    assert JsonForm(initial={"it": {}})["it"].value() == ""


def test_json_that_is_needed_may_be_empty_but_not_missing() -> None:
    class Needed(forms.Form):
        it = JsonField()

    assert Needed({"it": "{}"}).is_valid()
    assert not Needed({"it": ""}).is_valid()


@pytest.mark.parametrize(
    "day", ["0001-01-01", "1999-12-31", "2100-01-01", "9999-12-31", "2026-02-30", "\x00", "9" * 10_000]
)
def test_days_at_the_ends_of_the_calendar_are_none_of_ours(day: str) -> None:
    form = DayForm({"it": day})
    assert not form.is_valid() and list(form.errors) == ["it"]


@pytest.mark.parametrize("day", [date(2000, 1, 1), date(2026, 3, 2), date(2099, 12, 31)])
def test_days_of_this_century_are_taken(day: date) -> None:
    form = DayForm({"it": day.isoformat()})
    assert form.is_valid() and form.cleaned_data["it"] == day

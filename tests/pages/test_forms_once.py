"""A form that is sent twice is done once; what the domain refuses is told at its field."""

from typing import Any

import pytest
from django import forms
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from marketplace.accounts.commands import found_requester
from marketplace.accounts.models import Requester, User
from marketplace.common.errors import Conflict, Unprocessable
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.templatetags.pages import form_key
from tests.api_client import signed_up

KEY = "k" * 22


def sent(user: User, name: str, key: str = KEY, path: str = "/somewhere/") -> HttpRequest:
    request = RequestFactory().post(path, {"name": name, "form_key": key, "csrfmiddlewaretoken": f"new {name}"})
    request.user = user
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    return request


def found(request: HttpRequest, to: str = "/there/", fails: bool = False) -> HttpResponse:
    with once_form(request) as form:
        if form.first:
            found_requester(user_id=request.user.pk, name=request.POST["name"])  # type: ignore[arg-type]
            if fails:
                raise Conflict("Not now.")
        return form.redirect(to, said="Founded.")


def names() -> list[str]:
    return list(Requester.objects.order_by("pk").values_list("name", flat=True))


def test_a_form_that_is_sent_again_goes_where_the_first_went_and_does_nothing(db: None) -> None:
    user = signed_up()

    first, second = found(sent(user, "Acme"), "/there/"), found(sent(user, "Acme"), "/elsewhere/")

    assert [(answer.status_code, answer["Location"]) for answer in (first, second)] == [(303, "/there/")] * 2
    assert names() == ["Acme"]


@pytest.mark.parametrize("other", [{"name": "Acne"}, {"key": "l" * 22}, {"path": "/other/"}])
def test_another_content_key_or_address_is_another_form(db: None, other: dict[str, str]) -> None:
    user = signed_up()
    found(sent(user, "Acme"))

    found(sent(user, **{"name": "Acme", **other}))

    assert len(names()) == 2


def test_the_key_of_one_person_is_not_anothers(db: None) -> None:
    for user in (signed_up(), signed_up()):
        found(sent(user, "Acme"))

    assert names() == ["Acme", "Acme"]


def test_what_was_refused_left_nothing_and_may_be_sent_again(db: None) -> None:
    user = signed_up()

    with pytest.raises(Conflict):
        found(sent(user, "Acme"), fails=True)
    assert names() == []
    found(sent(user, "Acme"))

    assert names() == ["Acme"]


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "ü" * 22])
def test_a_form_without_a_good_key_is_refused(db: None, key: str) -> None:
    with pytest.raises(BadRequest):
        found(sent(signed_up(), "Acme", key))

    assert names() == []


def test_each_form_that_is_shown_has_a_key_of_its_own() -> None:
    one, other = str(form_key()), str(form_key())

    assert one.startswith('<input type="hidden" name="form_key" value="')
    assert one != other


class Where(forms.Form):
    account = forms.CharField(label="IBAN")
    code = forms.CharField(label="Code from your app", required=False)


def refused(error: Any) -> dict[str, list[str]]:
    form = Where({"account": "x"})
    problem_on(form, error)
    return {name: list(messages) for name, messages in form.errors.items()}


def test_a_refusal_is_told_at_the_field_it_names_with_the_fields_label() -> None:
    assert refused(Unprocessable("`code` is not what `account` needs.", field="code")) == {
        "code": ["“Code from your app” is not what “IBAN” needs."]
    }


def test_each_of_several_findings_stands_at_its_own_field() -> None:
    errors = [
        {"field": "account", "message": "is no IBAN"},
        {"field": "other_thing", "message": "`other_thing` is bad"},
    ]

    assert refused(Unprocessable("2 findings", errors=errors)) == {
        "account": ["Is no IBAN"],
        "__all__": ["Other thing is bad"],
    }


def test_the_place_within_a_field_and_the_row_of_a_file_are_said() -> None:
    errors = [
        {"field": "account.rules[0].all[1].at_least", "message": "must be a number"},
        {"field": "other_thing", "message": "must be true"},
        {"row": 3, "field": "amount", "message": "must be a number"},
        {"row": 0, "field": "", "message": "is empty"},
    ]

    assert refused(Unprocessable("4 findings", errors=errors)) == {
        "account": ["Rule 1, all 2, at least: must be a number"],
        "__all__": ["Other thing: must be true", "Row 3, amount: must be a number", "The file is empty"],
    }


def test_a_refusal_of_the_whole_stands_above_the_form() -> None:
    assert refused(Conflict("This batch is not open.")) == {"__all__": ["This batch is not open."]}

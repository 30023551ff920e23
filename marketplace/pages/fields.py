"""Fields of forms that refuse in words what no rule of ours could judge."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from marketplace.common.errors import Malformed
from marketplace.common.strict_json import strict_json

JSON_MAX = 100_000
YEARS = range(2000, 2100)


class JsonField(forms.CharField):
    """A JSON object as text, read as strictly as the API reads; None where nothing was typed. Refused are characters
    that no table holds, numbers without an end, what is nested deeper than anybody means, and more than `length`
    characters."""

    def __init__(self, *, length: int = JSON_MAX, widget: Any = None, **kwargs: Any) -> None:
        self.length = length
        attrs = {"rows": 8, "spellcheck": "false", "autocapitalize": "off", "class": "code"}
        super().__init__(widget=widget or forms.Textarea(attrs=attrs), **kwargs)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        if len(text) > self.length:
            raise forms.ValidationError(_("This is longer than %(n)d characters."), params={"n": self.length})
        try:
            found = strict_json(text.encode(errors="replace"))
        except Malformed as error:
            raise forms.ValidationError(why_unread(error), code="invalid") from None
        if found is not None and not isinstance(found, dict):
            raise forms.ValidationError(_("This must be a JSON object, in braces."), code="invalid")
        return found

    def prepare_value(self, value: Any) -> Any:
        return written(value) if isinstance(value, dict) else value

    def validate(self, value: Any) -> None:
        """An empty object is an answer too."""
        if value is None:
            super().validate(value)

    def run_validators(self, value: Any) -> None:
        """They are for texts, and the reader has seen this one."""


class DayField(forms.DateField):
    """A day of this century: the calendar ends somewhere, and a day later there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}), **kwargs)

    def validate(self, value: date | None) -> None:
        super().validate(value)
        if value is not None and value.year not in YEARS:
            raise forms.ValidationError(_("Choose a day of this century."), code="invalid")


def why_unread(error: Malformed) -> str:
    """Why a text is no JSON of ours, for whoever wrote it."""
    found = error.__context__
    if isinstance(found, json.JSONDecodeError):
        return _("This is not valid JSON: line %(line)d, character %(at)d.") % {"line": found.lineno, "at": found.colno}
    return _("This cannot be read. %(why)s") % {"why": error.detail[:200]}


def written(value: Mapping[str, Any]) -> str:
    """A JSON object for people to read; nothing where it says nothing."""
    return json.dumps(value, ensure_ascii=False, indent=2) if value else ""

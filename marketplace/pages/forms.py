"""Forms: sent twice, done once; and what the domain refuses is told where it was typed."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from marketplace.accounts.models import User
from marketplace.common.errors import DomainError
from marketplace.common.transactions import Once, one_transaction

FORM_KEY = "form_key"
KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
SEE_OTHER = 303


class SentForm:
    """One form inside its transaction."""

    def __init__(self, request: HttpRequest, execution: Once) -> None:
        self._request = request
        self._execution = execution

    @property
    def first(self) -> bool:
        """Whether this form was not done before: only then is there something to do."""
        return self._execution.stored is None

    def redirect(self, to: str, *args: Any, said: Any = "", **kwargs: Any) -> HttpResponse:
        """Go on to an address (or its name with arguments); a repeat goes where the first went. `said` is shown there
        once."""
        stored = self._execution.stored
        if stored is not None:
            place = json.loads(stored.body)["to"]
        else:
            place = resolve_url(to, *args, **kwargs)
            self._execution.keep(SEE_OTHER, json.dumps({"to": place}).encode())
            if said:
                messages.success(self._request, said)
        response = HttpResponseRedirect(place)
        response.status_code = SEE_OTHER
        return response

    def repeat_goes_to(self, to: str, *args: Any) -> HttpResponse | None:
        """For what is shown once and kept nowhere, as a key: None the first time, and a repeat is sent on."""
        first, response = self.first, self.redirect(to, *args)
        return None if first else response


@contextmanager
def once_form(request: HttpRequest) -> Iterator[SentForm]:
    """Run the block in one transaction, once for each form that was shown, however often it is sent:

        with once_form(request) as sent:
            if sent.first:
                change_profile(...)
            return sent.redirect("work_profile", said=_("Saved."))

    The form holds `{% form_key %}`. What is changed in a form after it was sent is a new form: somebody went back and
    typed something else. A refusal (any exception) undoes all, so the form may be sent again as it is.
    Raises `BadRequest` for a form without its key.
    """
    given = form_key_of(request)
    principal = f"form-user:{cast(User, request.user).pk}"
    with one_transaction(principal=principal, key=_key_of(request, given)) as execution:
        yield SentForm(request, execution)


def form_key_of(request: HttpRequest) -> str:
    """The key of the form that was sent; raises `BadRequest` for one without."""
    given = request.POST.get(FORM_KEY, "")
    if not KEY.fullmatch(given):
        raise BadRequest("the form has no key")
    return given


def _key_of(request: HttpRequest, given: str) -> str:
    """Says all that was sent; keyed, for with a plain digest a reader of the table could guess passwords."""
    sent = sorted((name, values) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken")
    for name, files in request.FILES.lists():
        sent += [(name, [hashlib.file_digest(file, "sha256").hexdigest()]) for file in files]  # type: ignore[arg-type]
        for file in files:
            file.seek(0)
    text = json.dumps([request.path, given, sent])
    return f"form-{salted_hmac('touchstone.form', text, algorithm='sha256').hexdigest()}"


def problem_on(form: Form, error: DomainError) -> None:
    """Tell what the domain refuses at the field that it names, or above the form; names of fields become labels. What a
    field does not say by itself stands in front: the row and column of a file, and the place within a text of JSON."""
    findings = error.facts.get("errors") or [{"field": error.facts.get("field"), "message": error.detail}]
    for finding in findings:
        field, place = _field_and_place(form, finding)
        words = _in_words(form, str(finding["message"]))
        form.add_error(field, f"{_capital(place)}{words}" if place else _capital(words))


def _field_and_place(form: Form, finding: dict[str, Any]) -> tuple[str | None, str]:
    """The field at which a finding is told, and what of its place has to be said with it."""
    path, message, row = str(finding.get("field") or ""), str(finding["message"]), finding.get("row")
    if row is not None:
        at = "file" if "file" in form.fields else None
        if not row:
            return at, _("the file") + " "
        return at, ", ".join(filter(None, [_("row %(row)d") % {"row": row}, _place_in_words(path)])) + ": "
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    if name in form.fields:
        inside = path.removeprefix(name).removeprefix(".")
        return name, _place_in_words(inside) + ": " if inside else ""
    # What begins with a capital or with a name is a sentence, and needs no subject.
    return None, _place_in_words(path) + ": " if path and message[:1].islower() else ""


def _place_in_words(path: str) -> str:
    """A place within a text of JSON, counted as people count.

    >>> _place_in_words("rules[0].all[1].at_least")
    'rule 1, all 2, at least'
    """
    counted = re.sub(r"(?:(?<=[^s])s)?\[(\d+)\]", lambda match: f" {int(match[1]) + 1}", path)
    return counted.replace(".", ", ").replace("_", " ")


def _in_words(form: Form, text: str) -> str:
    def label(match: re.Match[str]) -> str:
        name = match[1]
        return f"“{form[name].label}”" if name in form.fields else name.replace("_", " ")

    return re.sub(r"`([^`]+)`", label, text)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]

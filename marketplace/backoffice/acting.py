"""What views of staff do alike: carry a form out once, and say in the audit log whom somebody looked at."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from marketplace.common.errors import DomainError, NotFound, Unprocessable
from marketplace.common.walks import WalkUnderWay, keep_walk, only_walk
from marketplace.pages.forms import form_key_of, once_form, problem_on

AnyForm = TypeVar("AnyForm", bound=Form)
Found = TypeVar("Found")


def carried_out(
    request: HttpRequest,
    form: Form,
    command: Callable[[], Any],
    *,
    to: str,
    args: Sequence[Any] = (),
    said: Any = "",
) -> HttpResponse | None:
    """Do what a form asks for, once, and go on to an address by its name. None where it is not valid or the domain
    refuses: the form says then what is wrong, and keeps what was typed. `said` is shown there, or what it makes of what
    the command returned."""
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        with once_form(request) as sent:
            found = command() if sent.first else None
            return sent.redirect(to, *args, said=said(found) if sent.first and callable(said) else said)
    except NotFound:
        raise
    except DomainError as error:
        problem_on(form, error)
        return None


def pressed(
    request: HttpRequest, command: Callable[[], Any], *, to: str, args: Sequence[Any] = (), said: Any = ""
) -> HttpResponse:
    """Do what a button asks for, once, and go on; where the domain refuses, that is said there instead."""
    try:
        with once_form(request) as sent:
            if sent.first:
                command()
            return sent.redirect(to, *args, said=said)
    except NotFound:
        raise
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(to, *args)


def walked(request: HttpRequest, name: str, walk: Callable[[], dict[str, Any]], *, to: str) -> HttpResponse:
    """Walk over everything for whoever pressed the button of a page, keep what was found for all who look at it, and go
    on there; where a walk is under way, that is said instead."""
    form_key_of(request)
    try:
        with only_walk():
            found = walk()
    except WalkUnderWay as error:
        messages.error(request, error.detail)
        return redirect(to)
    with once_form(request) as sent:
        if sent.first:
            keep_walk(name=name, found=found)
        return sent.redirect(to)


def at_field(field: str, look: Callable[[], Found]) -> Found:
    """What somebody named in a form; that there is no such thing is said at its field."""
    try:
        return look()
    except NotFound as error:
        raise Unprocessable(error.detail, errors=[{"field": field, "message": error.detail}]) from error


def asked(kind: type[AnyForm], request: HttpRequest, what: str, **options: Any) -> AnyForm:
    """The form, filled in if it is the one of the page that was sent: each says its name as `what`."""
    sent = request.method == "POST" and request.POST.get("what") == what
    return kind(request.POST if sent else None, request.FILES if sent else None, **options)


def status_of(*forms: Form) -> int:
    """422 where one of the page's forms was sent and is shown again, 200 otherwise."""
    return 422 if any(form.is_bound for form in forms) else 200

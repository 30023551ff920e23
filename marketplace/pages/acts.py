"""Addresses that only do something: what is sent there is done, and whoever comes to look is led to the page above."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import Resolver404, resolve

P = ParamSpec("P")
R = TypeVar("R", bound=HttpRequest)


def act_only(view: Callable[Concatenate[R, P], HttpResponse]) -> Callable[Concatenate[R, P], HttpResponse]:
    """Takes what is sent. Who asks for the address itself, as after signing in again, is sent to the nearest page
    above it: there is the form, or the way to it."""

    @wraps(view)
    def gate(request: R, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method == "POST":
            return view(request, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            return HttpResponseRedirect(page_above(request.path))
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

    return gate


def page_above(path: str) -> str:
    """The nearest address above one of ours that there is."""
    while path != "/":
        path = path.rstrip("/").rpartition("/")[0] + "/"
        try:
            resolve(path)
        except Resolver404:
            continue
        break
    return path

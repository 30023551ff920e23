"""Who may see the worker's pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from marketplace.accounts.models import User
from workers.profiles.queries import worker_of

P = ParamSpec("P")


class WorkerRequest(HttpRequest):
    """A request of somebody who is a worker."""

    user: User
    worker_id: int


def worker_page(
    view: Callable[Concatenate[WorkerRequest, P], HttpResponse],
) -> Callable[..., HttpResponse]:
    """A view for workers: strangers sign in first, somebody who is no worker yet says that he wants to be one, and both
    come back to what they asked for. Sets `request.worker_id`; nothing of the answer is kept by caches."""

    @never_cache
    @login_required
    @wraps(view)
    def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        worker = worker_of(cast(User, request.user).pk)
        if worker is None:
            return redirect(f"{reverse('work_start')}?{urlencode({'next': request.get_full_path()})}")
        asked = cast(WorkerRequest, request)
        asked.worker_id = worker.pk
        return view(asked, *args, **kwargs)

    return gate

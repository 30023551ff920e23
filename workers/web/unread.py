"""The mark of unread news in the navigation."""

from functools import cache
from typing import Any

from django.http import HttpRequest

from marketplace.streams.queries import unread
from marketplace.streams.routes import address_of_worker
from workers.api.news import NEWS


def unread_news(request: HttpRequest) -> dict[str, Any]:
    """How much news the worker has not read: one statement, asked only where a worker's page shows it."""
    worker_id = getattr(request, "worker_id", None)
    if worker_id is None or request.user.pk is None:
        return {}
    stream, reader = address_of_worker(worker_id), request.user.pk
    return {"unread_news": cache(lambda: unread(stream, reader, kinds=NEWS))}

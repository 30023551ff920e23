"""The page on which tasks are done. What is done there goes over the API; this shows the frame, the same for all."""

from json import dumps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from marketplace.batches.models import Batch
from marketplace.batches.queries import visible_batch
from marketplace.common.errors import NotFound
from workers.api.devices import device_class
from workers.assignments.audience.board import closures
from workers.assignments.queries import holds_in
from workers.web.modules import player_modules
from workers.web.people import WorkerRequest, worker_page
from workers.web.words import opening


@require_safe
@worker_page
def do(request: WorkerRequest, batch: UUID) -> HttpResponse:
    """The player of a batch; or why it is closed to the worker, unless he still holds tasks of it."""
    try:
        found = visible_batch(batch)
    except NotFound:
        raise Http404 from None
    device = device_class(
        user_agent=request.headers.get("User-Agent", ""), mobile_hint=request.headers.get("Sec-CH-UA-Mobile", "")
    )
    closed = closures([found], worker_id=request.worker_id, device=device).get(found.pk)
    if closed is not None and not holds_in(worker_id=request.worker_id, batch_id=found.pk):
        context = {"batch": found, "closed": closed, "opening": opening(closed.lacks)}
        return render(request, "work/player_closed.html", context, status=403)
    context = {"batch": found, "settings": dumps(_settings(found)), "modules": player_modules(found.version.interface)}
    return render(request, "work/player.html", context)


def _settings(batch: Batch) -> dict[str, Any]:
    """What the player must know of the batch, besides what its claims say."""
    return {
        "batch": str(batch.public_id),
        "interface": batch.version.interface,
        "version": batch.version.number,
        "price": batch.price_micros,
        "currency": batch.currency,
        "limit": batch.time_limit_s,
        "cap": batch.lease_cap,
        "board": reverse("work_board"),
        "preview": reverse("work_batch", args=[batch.public_id]),
        "standing": reverse("work_standing"),
        "login": reverse("account_login"),
    }

"""The board, and a batch before it is taken."""

from uuid import UUID

from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.batches.queries import sample_of, visible_batch
from marketplace.batches.states import BatchState
from marketplace.common.errors import NotFound
from workers.api.devices import device_of
from workers.assignments.queries import held_work
from workers.gold.queries import roots_of
from workers.web.boards import board_of, offered_of
from workers.web.forms import WishForm, wish_of
from workers.web.people import WorkerRequest, worker_page
from workers.web.samples import guide_of, plain_sample

NARROWS = ("answers", "least", "most", "language", "calm")


@require_safe
@worker_page
def board(request: WorkerRequest) -> HttpResponse:
    """What can be worked on, as the address asks for it. A script that knows the page gets only what changes in it."""
    form = WishForm(request.GET)
    wish = wish_of(form, page=request.GET.get("page", ""))
    found = board_of(request.worker_id, wish, device=device_of(request))
    form.offer(answers=found.answers, languages=found.languages)
    context = {
        "board": found,
        "held": held_work(request.worker_id),
        "form": form,
        "narrowed": sum(bool(request.GET.get(name)) for name in NARROWS),
        "asked": any(request.GET.get(name) for name in (*NARROWS, "q", "open")),
        "scale": max((one.pay.high_micros for one in found.offered if one.pay), default=0),
        "before": _page(request.GET, found.page - 1) if found.page > 1 else "",
        "after": _page(request.GET, found.page + 1) if found.page < found.pages else "",
    }
    return render(request, "work/board_part.html" if request.headers.get("HX-Request") else "work/board.html", context)


@require_safe
@worker_page
def batch(request: WorkerRequest, batch: UUID) -> HttpResponse:
    """What somebody wants to know before he begins."""
    try:
        found = visible_batch(batch)
    except NotFound:
        raise Http404 from None
    sample = sample_of(found)
    context = {
        "batch": found,
        "offered": offered_of(found, worker_id=request.worker_id, device=device_of(request)),
        "runs": found.state == BatchState.PUBLISHED,
        "guide": guide_of(found.version.interface),
        "sample": {"interface": found.version.interface, "data": sample} if sample is not None else None,
        "plain": plain_sample(found.version.interface, sample or {}),
        "roots": roots_of(found.pk, whole_hours=True),
    }
    return render(request, "work/batch.html", context)


def _page(asked: QueryDict, number: int) -> str:
    """The address of another page of the same."""
    query = asked.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"

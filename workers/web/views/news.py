"""Messages: what happened to the worker and his work."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form
from marketplace.pages.paging import page_after, place_asked
from marketplace.streams.commands import KEPT_DAYS, note_read
from marketplace.streams.queries import before, epoch, head, read_up_to
from marketplace.streams.routes import address_of_worker
from workers.api.news import NEWS
from workers.web.news import days_of_news
from workers.web.people import WorkerRequest, worker_page

SHOWN = 100


@require_safe
@worker_page
def news(request: WorkerRequest) -> HttpResponse:
    """Newest first, by day."""
    stream = address_of_worker(request.worker_id)
    of_epoch, newest, read_to = epoch(), head(stream), read_up_to(stream, request.user.pk)
    found = before(stream, place_asked(request, "news"), kinds=NEWS, limit=SHOWN + 1)
    entries, after = page_after(request, "news", found, SHOWN, lambda entry: entry.seq)
    context = {
        "days": days_of_news(entries, read_to),
        "after": after,
        "epoch": of_epoch,
        "head": newest,
        "kept_days": KEPT_DAYS,
        "kinds": list(NEWS),
    }
    return render(request, "work/news.html", context)


@act_only
@worker_page
def read(request: WorkerRequest) -> HttpResponse:
    """All of it up to a number is read."""
    try:
        of_epoch, seq = UUID(request.POST.get("epoch", "")), int(request.POST.get("seq", ""))
    except ValueError:
        return HttpResponse(status=422)
    with once_form(request) as sent:
        if sent.first:
            note_read(
                stream=address_of_worker(request.worker_id),
                reader=request.user.pk,
                of_epoch=of_epoch,
                seq=min(max(seq, 0), 2**62),
            )
        return sent.redirect("work_news", said=_("Marked as read."))

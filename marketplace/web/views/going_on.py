"""Raise the pay, give more time or add tasks: the batch is stopped, and goes on in another under new terms."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from marketplace.batches.commands.going_on import BROUGHT_MAX, go_on
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch
from marketplace.batches.queries import counts, goes_on_in, held_by, lacks
from marketplace.common.errors import DomainError
from marketplace.pages.forms import once_form
from marketplace.web.batch_forms import GoOnForm
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.setting_up import PLAUSIBLE_S, address_of, refused_on
from marketplace.web.views.watch import RUNNING, frame_of
from workers.assignments.hourly import hourly_for, pace_for


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("manager")
def go(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Say what comes over and what stays, ask for the new terms, and do it."""
    if batch.published_at is None:
        raise Http404
    found = lacks(batch)
    form = GoOnForm(request.POST or None, initial=GoOnForm.says(batch, found), lacks=found)
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                if not sent.first:
                    return sent.redirect("console_batch", batch.public_id)
                made = go_on(batch_id=batch.pk, platform=Platform(**settings.PLATFORM_TERMS), **form.changes())
                tasks = held_by(made).tasks
                return sent.redirect(address_of(made, "check" if tasks else "items"), said=_said(tasks))
        except DomainError as error:
            refused_on(form, error, GoOnForm.NAMES)
    pace = pace_for(batch)
    seconds = pace.median_s if pace else batch.expected_s
    under_way = counts(batch.pk)
    context = {
        **frame_of(request, batch),
        "form": form,
        "open": batch.state in RUNNING,
        "lacks": found,
        "most": BROUGHT_MAX,
        "leased": under_way["leased"],
        "submitted": under_way["submitted"],
        "goes_on_in": goes_on_in(batch),
        "pace": pace,
        "seconds": seconds,
        "hourly": hourly_for(seconds, batch.price_micros) if seconds and seconds >= PLAUSIBLE_S else None,
        "hasty": bool(pace and pace.median_s < PLAUSIBLE_S),
        "settings": {"batch": str(batch.public_id), "measured": seconds, "currency": batch.currency},
    }
    return render(request, "console/go_on.html", context, status=422 if form.errors else 200)


def _said(tasks: int) -> str:
    if not tasks:
        return _("A draft with the new terms: bring its tasks.")
    return ngettext(
        "A draft with the new terms: %(n)d task came over. Publish it here, or add more first.",
        "A draft with the new terms: %(n)d tasks came over. Publish it here, or add more first.",
        tasks,
    ) % {"n": tasks}

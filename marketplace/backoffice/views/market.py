"""How the market goes: its health, and where quality suffers."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import StaffRole
from marketplace.api.looks import note_look
from marketplace.api.market import quality_overview
from marketplace.api.staff_batches import batch_file, looked_keys
from marketplace.api.worker_parts import staff_firing_shape
from marketplace.backoffice.acting import pressed
from marketplace.backoffice.figures import firings_chart, rejections_chart, rules_of, terms_of
from marketplace.backoffice.people import JUDGES, StaffRequest, staff_page
from marketplace.batches.queries import any_batch
from marketplace.batches.states import KeyState
from marketplace.common.models import DeadLetter
from marketplace.common.sweeps import retry
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.servers import servers
from marketplace.results.queries.market import TroubledDay, market_health
from workers.appeals.models import Appeal
from workers.appeals.states import State
from workers.reputation.queries import firings_everywhere

SHOWN = 50
LETTERS_SHOWN = 50


@require_safe
@staff_page()
def health(request: StaffRequest) -> HttpResponse:
    """People, work, what is late, and the servers."""
    context = {
        "market": market_health(),
        "servers": servers(),
        "letters": DeadLetter.objects.filter(retried_at=None).order_by("-pk")[:LETTERS_SHOWN],
    }
    return render(request, "staff/health.html", context)


@require_http_methods(["POST"])
@staff_page(StaffRole.SUPERUSER)
def retry_letter(request: StaffRequest, letter: UUID) -> HttpResponse:
    """Try again what was put aside."""
    get_object_or_404(DeadLetter, public_id=letter)

    def again() -> None:
        retry(public_id=letter)
        record("configuration.letter_retried", subject="dead_letter", subject_id=letter)

    return pressed(request, again, to="staff_health", said=_("It is tried again."))


@require_safe
@staff_page(*JUDGES)
def quality(request: StaffRequest) -> HttpResponse:
    """Batches in trouble, agreement, rules that fire, rejections, and check questions."""
    overview: dict[str, Any] = quality_overview()
    days = [TroubledDay(**one) for one in overview["days"]]
    context = {
        **overview,
        "appeals": Appeal.objects.filter(state=State.OPEN).count(),
        "fired_chart": firings_chart(days),
        "rejected_chart": rejections_chart(days),
    }
    return render(request, "staff/quality.html", context)


@require_safe
@staff_page(*JUDGES)
def firings(request: StaffRequest) -> HttpResponse:
    """Rules that held of somebody anywhere on the site, the newest first."""
    found = firings_everywhere().order_by("-pk")
    place = place_asked(request, "firings")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "firings", list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
    note_look(request, "firings", "all")
    context = {"rows": [staff_firing_shape(one) for one in shown], "after": after}
    return render(request, "staff/firings.html", context)


@require_safe
@staff_page(*JUDGES)
def batch(request: StaffRequest, batch: UUID) -> HttpResponse:
    """One batch: terms, standing, agreement, check questions by number, what fired of whom, and what is contested."""
    found = any_batch(batch)
    note_look(request, "batch", batch)
    of = batch_file(found)
    return render(
        request, "staff/batch.html", {"of": of, "terms": terms_of(of["batch"]), "rules": rules_of(of["batch"])}
    )


@require_safe
@staff_page(*JUDGES)
def keys(request: StaffRequest, batch: UUID) -> HttpResponse:
    """The keys of a batch, or those in one state; the look is written down."""
    of = any_batch(batch)
    state = request.GET.get("state", "")
    state = state if state in KeyState.values else ""
    after = place_asked(request, "keys") or 0
    found = looked_keys(of, user_id=request.user.pk, state=state or None, after_id=after, limit=SHOWN + 1)
    shown, after_at = page_after(request, "keys", found, SHOWN, lambda one: one["cursor"])
    asked = of.version.interface["answer"]
    context = {
        "batch": of,
        "keys": shown,
        "asked": asked,
        "after": after_at,
        "state": state,
        "states": KeyState.values,
    }
    return render(request, "staff/batch_keys.html", context)

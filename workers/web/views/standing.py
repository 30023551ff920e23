"""How the worker is judged: what he holds, his scores with their reasons, and what limits him."""

from typing import Any

from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.batches.queries import with_requesters
from marketplace.pages.paging import page_after, place_asked
from workers.api.firings import own_firing_shape
from workers.api.sanctions import own_sanction_shape, own_sanctions
from workers.appeals.models import Appeal
from workers.profiles.queries import held_by
from workers.reputation.queries import Shown, changes_of, firings_of, shown_to, skills_of
from workers.web.outcomes import FIGURES, MEASURES, SANCTIONED_FOR, evidence_in_words, in_words, where_of
from workers.web.people import WorkerRequest, worker_page

CHANGES_SHOWN = 20
SHOWN = 20
HELD_SHOWN = 200


@require_safe
@worker_page
def standing(request: WorkerRequest) -> HttpResponse:
    """All of it."""
    worker_id = request.worker_id
    beyond = skills_of(worker_id)
    changes, after = _changes(request)
    reached = with_requesters(own_sanctions(worker_id))
    limits = [_limit(row) for row in reached.order_by(F("in_force").desc(), "-pk")[:SHOWN]]
    contested = _contested([row["id"] for row in limits])
    context = {
        "overall": [one for one in beyond if one.facet == "global"],
        "types": [(one.facet.removeprefix("type:"), one) for one in beyond if one.facet != "global"],
        "projects": sorted(shown_to(worker_id), key=_by_evidence),
        "changes": changes,
        "after": after,
        "held": list(held_by(worker_id).order_by("-granted_at")[:HELD_SHOWN]),
        "limits": [{**row, "contested": row["id"] in contested} for row in limits],
        "firings": [_firing(row) for row in firings_of(worker_id).order_by("-pk")[:SHOWN]],
    }
    return render(request, "work/standing.html", context)


def _by_evidence(shown: Shown) -> tuple[int, str]:
    return (-shown.evidence, shown.project or "")


def _changes(request: WorkerRequest) -> tuple[list[Any], str]:
    found = changes_of(request.worker_id).order_by("-pk")
    place = place_asked(request, "changes")
    if place is not None:
        found = found.filter(pk__lt=place)
    return page_after(request, "changes", list(found[: CHANGES_SHOWN + 1]), CHANGES_SHOWN, lambda change: change.pk)


def _limit(row: Any) -> dict[str, Any]:
    shape = own_sanction_shape(row)
    return {
        **shape,
        "what": MEASURES[shape["measure"]],
        "why": SANCTIONED_FOR[shape["reason"]],
        "where": where_of(row.scope, row.requester_name),
        "figures": list(evidence_in_words(shape["evidence"])),
    }


def _contested(sanctions: list[Any]) -> set[Any]:
    found = Appeal.objects.filter(sanction__public_id__in=sanctions)
    return set(found.values_list("sanction__public_id", flat=True))


def _firing(row: Any) -> dict[str, Any]:
    shape = own_firing_shape(row)
    figures = [
        (FIGURES.get(figure["metric"], figure["metric"].replace("_", " ")), in_words(figure["value"]), figure["n"])
        for figure in shape["figures"]
    ]
    return {**shape, "figures": figures}

"""The audit log, and its chain."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.acts import KINDS
from marketplace.accounts.audit import audit_log
from marketplace.accounts.queries import act_anchors, act_head
from marketplace.api.audit_log import FILTERS, asked
from marketplace.backoffice.acting import walked
from marketplace.backoffice.people import MONEY, StaffRequest, staff_page
from marketplace.common.errors import DomainError
from marketplace.common.walks import last_walk
from marketplace.pages.paging import page_after, place_asked

SHOWN = 50
ANCHORS_SHOWN = 7
WALK = "log"


@require_safe
@staff_page(*MONEY)
def log(request: StaffRequest) -> HttpResponse:
    """The rows that the filters leave, the newest first; filters that make no sense are told, and leave nothing."""
    given = {name: text for name in FILTERS if (text := request.GET.get(name, "").strip())}
    rows: list[Any] = []
    wrong, after = "", ""
    try:
        found = asked(given).order_by("-pk")
        place = place_asked(request, "acts")
        if place is not None:
            found = found.filter(pk__lt=place)
        rows, after = page_after(request, "acts", list(found[: SHOWN + 1]), SHOWN, lambda row: row.pk)
    except DomainError as error:
        wrong = error.detail
    seq, last = act_head()
    context = {
        "rows": rows, "after": after, "given": given, "wrong": wrong, "kinds": KINDS, "seq": seq, "last": last,
        "anchors": act_anchors()[:ANCHORS_SHOWN],
    }  # fmt: skip
    return render(request, "staff/log.html", context, status=422 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page()
def check(request: StaffRequest) -> HttpResponse:
    """Whether the whole chain held when somebody last had it computed anew: green, or the first bad row. The button
    has it done again."""
    if request.method == "POST":
        return walked(request, WALK, lambda: asdict(audit_log()), to="staff_audit_check")
    return render(request, "staff/log_check.html", {"last": last_walk(WALK)})

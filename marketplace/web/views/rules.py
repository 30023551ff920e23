"""What quality rules did in a batch, whose answers are held back, and whom the organisation limits."""

from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from marketplace.accounts.models import Where
from marketplace.api.quality import firing_shape
from marketplace.api.sanctions import for_requester, lift_own, lifts_itself, requester_sanction_shape
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.database import MarketNow
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.transactions import one_transaction
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.pages.rule_figures import figures_in_words
from marketplace.pages.sanction_words import MEASURES, REACHES, REASONS
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.rule_words import ACTIONS, AUTHORS
from marketplace.web.views.watch import frame_of
from workers.assignments.commands.holds import release_worker
from workers.assignments.queries import holds_page
from workers.profiles.commands import pseudonyms
from workers.profiles.queries import known_worker
from workers.reputation.queries import firings_in

SHOWN = 20


class ReleaseForm(forms.Form):
    """Whose answers are not to be held back any more, and why."""

    worker = forms.CharField(max_length=24, widget=forms.HiddenInput)
    reason = forms.CharField(
        label=gettext_lazy("Why are they in order?"),
        max_length=2_000,
        help_text=gettext_lazy("Stays on record with the hold."),
    )


class LiftForm(forms.Form):
    """Which limit ends, and why."""

    sanction = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(label=gettext_lazy("Why does it end?"), max_length=2_000)


FORMS: dict[str, type[forms.Form]] = {"release": ReleaseForm, "lift": LiftForm}


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("reviewer")
def rules(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """All of it; answers are released and limits lifted here."""
    if batch.state == BatchState.DRAFT:
        raise Http404
    form: forms.Form | None = None
    act = ""
    if request.method == "POST":
        act = request.POST.get("act", "")
        if act not in FORMS:
            raise BadRequest("there is no such act")
        form = FORMS[act](request.POST, auto_id="sent-%s")
        done = _done(request, batch, act, form)
        if done is not None:
            return done
    context = {
        **frame_of(request, batch),
        **_held(request, batch, form if act == "release" else None),
        **_limits(request, batch, form if act == "lift" else None),
        **_firings(request, batch),
        "refusals": _refusals(form) if form else [],
    }
    return render(request, "console/rules.html", context, status=422 if form else 200)


def _done(request: ConsoleRequest, batch: Batch, act: str, form: forms.Form) -> HttpResponse | None:
    """The way on after an act, or None where it was refused and the form says why."""
    if not form.is_valid():
        return None
    if act == "lift" and not request.may("manager"):
        form.add_error(None, _("This is for managers; ask one of yours."))
        return None
    told = form.cleaned_data
    try:
        with once_form(request) as sent:
            said = ""
            if sent.first and act == "release":
                worker_id = known_worker(batch.requester_id, told["worker"])
                accepted = release_worker(
                    batch_id=batch.pk, worker_id=worker_id, reason=told["reason"], by=request.user.pk
                )[1]
                said = _released(accepted)
            elif sent.first:
                lift_own(batch.requester, told["sanction"], reason=told["reason"], by=request.user.pk)
                said = _("The limit has ended. The worker is told.")
            return sent.redirect("console_batch_rules", batch.public_id, said=said)
    except NotFound:
        raise Http404 from None
    except DomainError as error:
        problem_on(form, error)
        return None


def _refusals(form: forms.Form) -> list[str]:
    """What is not said at a field that is seen."""
    hidden = [words for field in form.hidden_fields() for words in field.errors]
    return [str(words) for words in [*form.non_field_errors(), *hidden]]


def _released(accepted: int) -> str:
    said = _("Held back no longer.")
    if accepted:
        words = ngettext(
            "%(n)d answer is accepted: its time for a decision was over.",
            "%(n)d answers are accepted: their time for a decision was over.",
            accepted,
        )
        said += " " + words % {"n": accepted}
    return said


def _held(request: ConsoleRequest, batch: Batch, sent: forms.Form | None) -> dict[str, Any]:
    found = holds_page(batch.pk, after_id=place_asked(request, "holds", "held") or 0, limit=SHOWN + 1)
    shown, more = page_after(request, "holds", found, SHOWN, lambda row: row["cursor"], parameter="held")
    names = _names(batch, {row["worker_id"] for row in shown})
    rows = []
    for row in shown:
        name = names[row["worker_id"]]
        own = sent if sent and sent.data.get("worker") == name else _ready(ReleaseForm, worker=name)
        rows.append({**row, "name": name, "form": own})
    return {"held": rows, "more_held": more}


def _limits(request: ConsoleRequest, batch: Batch, sent: forms.Form | None) -> dict[str, Any]:
    """Limits that reach this batch: made for it, for its project, or for all of the organisation."""
    found = for_requester(batch.requester).filter(
        Q(scope=Where.REQUESTER)
        | Q(scope=Where.PROJECT, scope_id=batch.project_id)
        | Q(scope=Where.BATCH, scope_id=batch.pk)
    )
    found = found.annotate(now=MarketNow()).order_by("-pk")
    place = place_asked(request, "limits", "limit")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, more = page_after(request, "limits", list(found[: SHOWN + 1]), SHOWN, lambda row: row.pk, parameter="limit")
    rows = []
    for row in shown:
        shape = requester_sanction_shape(row)
        in_force = row.lifted_at is None and row.expires_at > row.now
        evidence = shape["evidence"]
        own = sent if sent and sent.data.get("sanction") == str(row.public_id) else None
        rows.append(
            {
                **shape,
                "what": MEASURES[row.measure],  # type: ignore[index]
                "where": REACHES[row.scope],  # type: ignore[index]
                "why": REASONS[row.reason],  # type: ignore[index]
                "who": AUTHORS[shape["author"]],
                "in_force": in_force,
                "note": evidence.get("note", ""),
                "figures": figures_in_words(evidence.get("metrics", [])),
                "staffs": in_force and not lifts_itself(row),
                "form": (own or _ready(LiftForm, sanction=row.public_id))
                if in_force and lifts_itself(row) and request.may("manager")
                else None,
            }
        )
    return {"limits": rows, "more_limits": more}


def _firings(request: ConsoleRequest, batch: Batch) -> dict[str, Any]:
    found = firings_in(batch.pk).order_by("-pk")
    place = place_asked(request, "firings")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "firings", list(found[: SHOWN + 1]), SHOWN, lambda row: row.pk)
    names = _names(batch, {row.worker_id for row in shown})
    rows = []
    for row in shown:
        shape = firing_shape(row, names)
        rows.append(
            {
                **shape,
                "figures": figures_in_words(shape["evidence"]),
                "did": [
                    {
                        "what": ACTIONS.get(one["action"]["do"], one["action"]["do"]),
                        "outcome": one["outcome"] if one["done_at"] else _("waits"),
                    }
                    for one in shape["actions"]
                ],
            }
        )
    return {"firings": rows, "after": after}


def _ready(kind: type[forms.Form], **said: Any) -> forms.Form:
    """A form of a row, whose fields have names that no other row's have."""
    return kind(initial=said, auto_id=f"{'-'.join(map(str, said.values()))}-%s")


def _names(batch: Batch, worker_ids: set[int]) -> dict[int, str]:
    with one_transaction(principal="names"):
        return pseudonyms(requester_id=batch.requester_id, worker_ids=worker_ids)

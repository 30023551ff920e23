"""What may be done to a running batch: each act says first what follows from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from marketplace.batches.commands.lifecycle import close_batch, pause_batch, resume_batch
from marketplace.batches.models import OVERLAP_MAX, Batch
from marketplace.batches.queries import hold_of
from marketplace.batches.row_checks import EXTERNAL_ID_MAX
from marketplace.batches.states import BatchState
from marketplace.common.errors import DomainError
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.queries import balance
from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.templatetags.pages import money
from marketplace.results.queries.figures import kept_figures
from marketplace.results.queries.standing import batch_state
from marketplace.results.queries.tasks import external_ids_of
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.views.watch import frame_of
from marketplace.web.watching import Text
from workers.assignments.commands.decide import cancel
from workers.assignments.commands.more_places import TASKS_MAX, more_places_for
from workers.assignments.commands.quarantine import release_tasks
from workers.gold.commands.audit import confirm_key, retire_key


@dataclass(frozen=True)
class Act:
    """One step of a batch's life: what does it, from which states, and how it is said."""

    do: Callable[..., Batch]
    states: tuple[str, ...]
    title: Text
    button: Text
    done: Text
    follows: tuple[Text, ...]
    grave: bool = False


OPEN, PAUSED = BatchState.PUBLISHED, BatchState.PAUSED
ACTS = {
    "pause": Act(
        pause_batch,
        (OPEN,),
        _("Pause this batch"),
        _("Pause"),
        _("Paused. Nobody takes new tasks until you resume it."),
        (
            _("Nobody can take new tasks."),
            _("Who holds a task now may still send it, and is paid as always."),
            _("You can resume at any time. The money stays held."),
        ),
    ),
    "resume": Act(
        resume_batch,
        (PAUSED,),
        _("Resume this batch"),
        _("Resume"),
        _("Open again."),
        (_("Workers can take tasks again at once, under the same terms."),),
    ),
    "close": Act(
        close_batch,
        (OPEN, PAUSED),
        _("Close this batch"),
        _("Close for good"),
        _("Closing. It settles once every answer is decided and paid."),
        (
            _("Nobody can take new tasks, and it cannot be opened again."),
            _("Who holds a task now may still send it."),
            _("Answers that wait are decided by you, or accepted by themselves when their time is over."),
            _("When all is decided and paid, what is left of the money comes back to you."),
        ),
        grave=True,
    ),
    "cancel": Act(
        cancel,
        (OPEN, PAUSED),
        _("Cancel this batch"),
        _("Cancel for good"),
        _("Cancelled. Answers that were sent are still decided and paid."),
        (
            _("Nobody can take new tasks, and it cannot be opened again."),
            _("Who holds a task now loses it at once, and is not paid for what he has begun."),
            _("Answers that were sent are still decided and paid."),
            _("What is left of the money comes back to you when all is decided."),
        ),
        grave=True,
    ),
}


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("manager")
def step(request: ConsoleRequest, batch: Batch, act: str) -> HttpResponse:
    """Say what follows, and do it."""
    if batch.state == BatchState.DRAFT:
        raise Http404
    what, error = ACTS[act], ""
    if request.method == "POST":
        try:
            with once_form(request) as sent:
                if sent.first:
                    what.do(batch_id=batch.pk)
                return sent.redirect("console_batch", batch.public_id, said=what.done)
        except DomainError as refusal:
            error = refusal.detail
            batch.refresh_from_db()
    context = {
        **frame_of(request, batch),
        "act": act,
        "what": what,
        "possible": batch.state in what.states,
        "now": batch_state(batch.pk),
        "error": error,
    }
    return render(request, "console/watch_act.html", context, status=409 if error else 200)


class PlacesForm(forms.Form):
    """Which tasks more workers shall answer, and how many more."""

    which = forms.ChoiceField(label=_("Which tasks?"), widget=forms.RadioSelect)
    tasks = forms.CharField(
        label=_("These tasks"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text=_("Their names as in your file, one on each line."),
    )
    by = forms.IntegerField(
        label=_("How many workers more for each?"),
        min_value=1,
        max_value=OVERLAP_MAX - 1,
        initial=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, hardest: list[str], everything: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices = {"hardest": hardest, "all": everything}
        words = []
        if hardest:
            text = ngettext("The %(n)d task of which the answers are least sure",
                            "The %(n)d tasks of which the answers are least sure", len(hardest))  # fmt: skip
            words.append(("hardest", text % {"n": len(hardest)}))
        if everything:
            text = ngettext("Every task: %(n)d", "Every task: all %(n)d", len(everything))
            words.append(("all", text % {"n": len(everything)}))
        words.append(("named", _now("Some that I name below")))
        self.fields["which"].choices = words  # type: ignore[attr-defined]
        self.fields["which"].initial = words[0][0]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("which") == "named":
            names = list(dict.fromkeys(line.strip() for line in found.get("tasks", "").splitlines() if line.strip()))
            if not names:
                self.add_error("tasks", _now("Name at least one task."))
            elif len(names) > TASKS_MAX:
                self.add_error("tasks", _now("Name at most %(n)d tasks at once.") % {"n": TASKS_MAX})
            elif long := next((name for name in names if len(name) > EXTERNAL_ID_MAX), None):
                self.add_error("tasks", _now("No task is called so: %(name)s…") % {"name": long[:40]})
            found["names"] = names
        elif "which" in found:
            found["names"] = self.choices[found["which"]]
        return found


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("manager")
def places(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Have more workers answer some tasks: the money is held at once."""
    if batch.state == BatchState.DRAFT:
        raise Http404
    kept = kept_figures(batch)
    everything = external_ids_of(batch.pk, limit=TASKS_MAX + 1)
    wished = request.GET.get("task", "")
    form = PlacesForm(
        request.POST or None,
        hardest=[one.task for one in kept.look.hardest] if kept else [],
        everything=everything if len(everything) <= TASKS_MAX else [],
        initial={"which": "named", "tasks": wished} if wished else None,
    )
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                said = ""
                if sent.first:
                    added, passed_over = more_places_for(
                        batch_id=batch.pk, tasks=form.cleaned_data["names"], by=form.cleaned_data["by"]
                    )
                    said = _added(batch, added.places, added.held_micros, len(passed_over))
                return sent.redirect("console_batch", batch.public_id, said=said)
        except DomainError as error:
            problem_on(form, error)
    one = hold_of(batch, 1)
    context = {
        **frame_of(request, batch),
        "form": form,
        "each_micros": one.total_micros,
        "funds_micros": balance(funds_of(batch.requester.public_id), batch.currency),
        "overlap_max": OVERLAP_MAX,
    }
    return render(request, "console/watch_places.html", context, status=422 if form.errors else 200)


@act_only
@console_page("manager")
def release(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Put a task that several workers gave up back to work."""
    return _about_task(
        request,
        batch,
        lambda task: release_tasks(batch_id=batch.pk, tasks=[task]),
        "console_batch_reports",
        _now("Back to work."),
    )


@act_only
@console_page("manager")
def key(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Say of a key that it is right, or give it up."""
    acts = {
        "confirm": (confirm_key, _now("The key is used.")),
        "retire": (retire_key, _now("The key is given up. What was judged by it counts no more.")),
    }
    if request.POST.get("act") not in acts:
        raise BadRequest("the form says nothing that could be done")
    do, said = acts[request.POST["act"]]
    return _about_task(request, batch, lambda task: do(batch_id=batch.pk, tasks=[task]), "console_batch_gold", said)


def _about_task(request: ConsoleRequest, batch: Batch, do: Callable[[str], Any], back: str, said: str) -> HttpResponse:
    task = request.POST.get("task", "")
    if not task or "\x00" in task or len(task) > EXTERNAL_ID_MAX:
        raise BadRequest("the form names no task")
    try:
        with once_form(request) as sent:
            if sent.first:
                do(task)
            return sent.redirect(back, batch.public_id, said=said)
    except DomainError as error:
        context = {**frame_of(request, batch), "error": error.detail, "back": back}
        return render(request, "console/watch_refused.html", context, status=409)


def _added(batch: Batch, places: int, held_micros: int, passed_over: int) -> str:
    said = ngettext(
        "%(n)d more answer is wanted; %(amount)s is held for it.",
        "%(n)d more answers are wanted; %(amount)s is held for them.",
        places,
    ) % {"n": places, "amount": money(held_micros, batch.currency)}
    if not places:
        said = _now("No task could get more places.")
    if passed_over:
        said += " " + ngettext(
            "%(n)d task was passed over: it is gold, reserved, in quarantine or full.",
            "%(n)d tasks were passed over: they are gold, reserved, in quarantine or full.",
            passed_over,
        ) % {"n": passed_over}
    return said

"""What is behind the figures of a batch: its workers, answers and tasks, what workers report, and its gold."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from marketplace.batches.models import Batch
from marketplace.batches.row_checks import EXTERNAL_ID_MAX
from marketplace.batches.states import BatchState, KeyState
from marketplace.common.database import value
from marketplace.common.errors import NotFound
from marketplace.common.lots import lot, lots_of
from marketplace.common.moments import moment_in
from marketplace.common.transactions import one_transaction
from marketplace.pages.paging import page_after, place_asked, with_place
from marketplace.pages.plain import answer_in_short, fields_in_words
from marketplace.projects.answer_types.labels import title_of, titles_of
from marketplace.results.queries.figures import WorkerLook
from marketplace.results.queries.tasks import Wanted, task_of, tasks_walked
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.review_words import ANSWERS, GIVEN_UP, Text
from marketplace.web.views.watch import frame_of, wanted_figures
from marketplace.web.watching import SHOWS, Places
from workers.assignments.queries import Sought, answers_page, answers_walked, given_up_walked, quarantine_page
from workers.gold.commands.audit import note_look
from workers.gold.queries import keys_page, verdicts_of
from workers.profiles.commands import pseudonyms
from workers.profiles.queries import workers_by_pseudonym

SHOWN = 30
# A task has this many places at most, and some answers that were rejected.
ANSWERS_MAX = 200
# "The last minutes" of a list are at most those of a day.
MINUTES_MAX = 1_440
# By what workers are sorted, in the order of the columns.
SORTS: dict[str, tuple[Text, Callable[[WorkerLook], float]]] = {
    "answers": (gettext_lazy("Answers"), lambda one: one.answers),
    "score": (gettext_lazy("Expected to be right"), lambda one: one.score),
    "agreement": (gettext_lazy("Agrees with others"), lambda one: -1.0 if one.agreement is None else one.agreement),
    "time": (gettext_lazy("Median time"), lambda one: one.median_s or 0.0),
    "unclear": (gettext_lazy("Unclear"), lambda one: one.unclear),
    "rejected": (gettext_lazy("Rejected"), lambda one: one.rejected),
}
# Tools that draw answers over what is shown; beside all others the item is shown once.
DRAWN = {
    "boxes", "polygons", "polylines", "keypoints", "mask", "tracks", "cuboids", "spans", "segments", "transcription",
    "preference",
}  # fmt: skip
KEYS = {
    KeyState.LIVE: (gettext_lazy("In use"), "good"),
    KeyState.WAITING: (gettext_lazy("Waits"), "warn"),
    KeyState.FLAGGED: (gettext_lazy("Is probably wrong"), "bad"),
    KeyState.RETIRED: (gettext_lazy("Retired"), "quiet"),
}


@require_safe
@console_page()
def workers(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Those who work on the batch, by the names that the organisation knows them by."""
    _published(batch)
    kept = wanted_figures(batch)
    found: list[WorkerLook] = list(kept.look.workers) if kept else []
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "answers"
    rising = request.GET.get("order") == "up"
    place = partial(lot, lots_of(batch.public_id))
    found.sort(key=lambda one: (SORTS[sort][1](one), place(one.worker_id)), reverse=not rising)
    pages = max(1, ceil(len(found) / SHOWN))
    page = min(_number(request, "page"), pages)
    shown = found[(page - 1) * SHOWN : page * SHOWN]
    names = _names(batch, (one.worker_id for one in shown))
    gold = {}
    if request.may("reviewer") and shown:
        with one_transaction(principal="gold"):
            gold = verdicts_of(batch.pk, [one.worker_id for one in shown])
    context = {
        **frame_of(request, batch),
        "kept": kept,
        "rows": [{"name": names[one.worker_id], "one": one, "gold": gold.get(one.worker_id)} for one in shown],
        "more": kept.look.more_workers if kept else 0,
        "sorts": [(key, title) for key, (title, _by) in SORTS.items()],
        "sort": sort,
        "rising": rising,
        "before": f"?sort={sort}&order={'up' if rising else 'down'}&page={page - 1}" if page > 1 else "",
        "after": f"?sort={sort}&order={'up' if rising else 'down'}&page={page + 1}" if page < pages else "",
    }
    return render(request, "console/watch_workers.html", context)


@require_safe
@console_page()
def answers(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Answers of the batch, the newest first, of all or of some."""
    _published(batch)
    state = request.GET.get("state", "")
    unclear = request.GET.get("unclear", "")
    asked = {name: _text(request, name) for name in ("task", "worker", "field", "label")}
    since, until = _moment(request, "since"), _moment(request, "until")
    minutes = _number(request, "minutes") if "minutes" in request.GET else None
    if minutes is not None:
        since = value("SELECT market_now() - make_interval(mins => %s)", [min(minutes, MINUTES_MAX)])
    worker_id = None
    if asked["worker"]:
        worker_id = workers_by_pseudonym(batch.requester_id, [asked["worker"]]).get(asked["worker"])
    found: list[dict[str, Any]] = []
    place: int | None = None
    if not asked["worker"] or worker_id is not None:
        found, place = answers_walked(
            batch.pk,
            Sought(
                state=state if state in ANSWERS else None,
                task=asked["task"],
                worker_id=worker_id,
                unclear={"true": True, "false": False}.get(unclear),
                field=asked["field"] if asked["label"] else None,
                label=asked["label"],
                since=since,
                until=until,
            ),
            before=place_asked(request, "batch answers"),
            limit=SHOWN,
        )
    names = _names(batch, (row["worker_id"] for row in found))
    places, declared = Places(batch), batch.version.interface["answer"]
    context = {
        **frame_of(request, batch),
        "rows": [
            {
                **row,
                "name": names[row["worker_id"]],
                "says": _says(declared, row),
                "words": ANSWERS[row["state"]],
                "link": f"{places.task(row['task'])}#a-{row['id']}",
            }
            for row in found
        ],
        "asked": {**{name: text or "" for name, text in asked.items()}, "state": state, "unclear": unclear},
        "label_words": _label_words(declared, asked["field"], asked["label"]),
        "since": since,
        "until": until,
        "minutes": minutes,
        "states": ANSWERS,
        "after": with_place(request, "batch answers", place),
        "first": "after" not in request.GET,
    }
    return render(request, "console/watch_answers.html", context)


@require_safe
@console_page()
def tasks(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """Tasks of the batch by their names, all or some, with what was answered so far."""
    _published(batch)
    show = request.GET.get("show", "")
    asked = {name: _text(request, name) for name in ("task", "field", "one", "other")}
    both = asked["field"] and asked["one"] and asked["other"]
    found, place = tasks_walked(
        batch.pk,
        Wanted(
            show=show if show in SHOWS else "",
            task=asked["task"],
            field=asked["field"] if both else None,
            one=asked["one"],
            other=asked["other"],
        ),
        after=place_asked(request, "batch tasks", of=str) or "",
        limit=SHOWN,
    )
    places, declared = Places(batch), batch.version.interface["answer"]
    context = {
        **frame_of(request, batch),
        "rows": [{**row, "says": _together(declared, row), "link": places.task(row["task"])} for row in found],
        "asked": {**{name: text or "" for name, text in asked.items()}, "show": show},
        "pair_words": [_label_words(declared, asked["field"], asked[side]) for side in ("one", "other") if both],
        "shows": SHOWS,
        "after": with_place(request, "batch tasks", place),
        "first": "after" not in request.GET,
    }
    return render(request, "console/watch_tasks.html", context)


@require_safe
@console_page()
def task(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """One task, which the address names, with all its answers beside each other as the player draws them."""
    _published(batch)
    if not request.GET.get("id"):
        return redirect("console_batch_tasks", batch.public_id)
    named = _text(request, "id")
    try:
        whole = task_of(batch.pk, named or "")
    except NotFound:
        raise Http404 from None
    found = answers_page(batch.pk, Sought(task=whole["task"]), after_id=0, limit=ANSWERS_MAX)
    names = _names(batch, (row["worker_id"] for row in found))
    interface = batch.version.interface
    drawn = any(one["type"] in DRAWN for one in interface["answer"])
    context = {
        **frame_of(request, batch),
        "task": whole,
        "says": _together(interface["answer"], whole),
        "data": _data_words(interface["data"], whole["data"]),
        "drawn": drawn,
        "rows": [
            {
                **row,
                "name": names[row["worker_id"]],
                "words": ANSWERS[row["state"]],
                "in_words": fields_in_words(interface["answer"], row["values"] or {}, whole["data"]),
            }
            for row in found
        ],
        "shown": {
            "interface": interface,
            "data": whole["data"],
            "drawn": drawn,
            "answers": {str(row["id"]): row["values"] for row in found if row["values"] and not row["unclear"]},
        },
    }
    return render(request, "console/watch_task.html", context)


@require_safe
@console_page()
def reports(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """What workers say is wrong with tasks, and the tasks that several gave up."""
    _published(batch)
    reason = request.GET.get("reason", "")
    found, place = given_up_walked(
        batch.pk,
        reason=reason if reason in GIVEN_UP else None,
        before=place_asked(request, "batch reports"),
        limit=SHOWN,
    )
    held = quarantine_page(batch.pk, after_id=place_asked(request, "quarantine", "more") or 0, limit=SHOWN + 1)
    held, more = page_after(request, "quarantine", held, SHOWN, lambda row: row["cursor"], parameter="more")
    names = _names(batch, (row["worker_id"] for row in found))
    places = Places(batch)
    context = {
        **frame_of(request, batch),
        "rows": [
            {
                **row,
                "name": names[row["worker_id"]],
                "words": GIVEN_UP.get(row["reason"], row["reason"]),
                "link": places.task(row["task"]),
            }
            for row in found
        ],
        "held": [
            {
                **row,
                "link": places.task(row["task"]),
                "why": [(GIVEN_UP.get(name, name), times) for name, times in row["reasons"].most_common()],
                "said": [comment for _reason, _worker, comment in row["comments"]],
            }
            for row in held
        ],
        "more": more,
        "reason": reason,
        "reasons": {name: words for name, words in GIVEN_UP.items() if name != "expired"},
        "after": with_place(request, "batch reports", place),
        "first": "after" not in request.GET,
    }
    return render(request, "console/watch_reports.html", context)


@require_safe
@console_page("reviewer")
def gold(request: ConsoleRequest, batch: Batch) -> HttpResponse:
    """The keys of the batch and how they fare. Who looks is written down."""
    _published(batch)
    state = request.GET.get("state", "")
    with one_transaction(principal="gold"):
        note_look(batch_id=batch.pk, user_id=request.user.pk, what="keys")
        found = keys_page(
            batch,
            state=state if state in KEYS else None,
            after_id=place_asked(request, "batch gold") or 0,
            limit=SHOWN + 1,
        )
    keys, after = page_after(request, "batch gold", found, SHOWN, lambda key: key.cursor)
    places, declared = Places(batch), batch.version.interface["answer"]
    context = {
        **frame_of(request, batch),
        "rows": [
            {
                "key": key,
                "words": KEYS[KeyState(key.state)],
                "says": answer_in_short(declared, key.key),
                "instead": answer_in_short(declared, key.instead) if key.instead else "",
                "rate": key.passed / key.judged if key.judged else None,
                "link": places.task(key.task),
            }
            for key in keys
        ],
        "state": state,
        "states": KEYS,
        "after": after,
    }
    return render(request, "console/watch_gold.html", context)


def _published(batch: Batch) -> None:
    """There is nothing to look at in a draft."""
    if batch.state == BatchState.DRAFT:
        raise Http404


def _text(request: HttpRequest, name: str) -> str | None:
    """What the address asks for, or nothing where nothing can be called so."""
    text = request.GET.get(name, "")
    return text if text and "\x00" not in text and len(text) <= EXTERNAL_ID_MAX else None


def _moment(request: HttpRequest, name: str) -> datetime | None:
    """A moment of an address, or nothing where it says none."""
    return moment_in(request.GET.get(name, ""))


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= 6 else 1


def _names(batch: Batch, worker_ids: Iterable[int]) -> dict[int, str]:
    with one_transaction(principal="names"):
        return pseudonyms(requester_id=batch.requester_id, worker_ids=worker_ids)


def _says(declared: list[dict[str, Any]], row: dict[str, Any]) -> str:
    """An answer in one line."""
    if row["unclear"]:
        return _("Unclear")
    if row["values"] is None:
        return _("Withheld: a rejected answer is not paid")
    return answer_in_short(declared, row["values"]) or _("(empty)")


def _data_words(fields: list[dict[str, Any]], data: dict[str, Any]) -> list[tuple[str, str]]:
    """What a task shows, for those without scripts: pictures and sounds that are within it are named alone."""
    return [
        (title, _("A file within the task, which is shown with scripts alone") if text.startswith("data:") else text)
        for title, text in fields_in_words(fields, data)
    ]


def _together(declared: list[dict[str, Any]], row: dict[str, Any]) -> str:
    """What the answers to a task come to so far, in one line."""
    values = {name: found["value"] for name, found in (row["values"] or {}).items() if found["value"] is not None}
    return answer_in_short(declared, values)


def _label_words(declared: list[dict[str, Any]], field: str | None, label: str | None) -> str:
    """A field and a label of it by their titles, as the page says them; empty without them."""
    one = next((one for one in declared if one["name"] == field), None)
    if one is None or not label:
        return ""
    return f"{title_of(one)}: {titles_of(one).get(label, label)}"

"""A worker's news in words: what happened to him and his work, gathered so that a hundred payments are one line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from marketplace.accounts.models import Sanction
from marketplace.batches.models import Batch
from marketplace.streams.queries import Entry
from workers.appeals.models import Appeal
from workers.profiles.models import Skill
from workers.web.outcomes import APPEALS, MEASURES

ICONS = {
    "answer_accepted": "check",
    "answer_rejected": "cross",
    "answer_returned": "repair",
    "answer_upheld": "scales",
    "bonus_paid": "star",
    "lease_expired": "clock",
    "payment_settled": "money",
    "appeal_opened": "scales",
    "appeal_moved": "scales",
    "appeal_decided": "scales",
    "sanctioned": "warning",
    "sanction_lifted": "check",
    "skill_granted": "star",
    "skill_revoked": "minus",
    "reputation_shown": "standing",
}


@dataclass(frozen=True)
class Item:
    """One line of news: facts of one kind about one thing that followed each other."""

    kind: str
    icon: str
    words: str
    detail: str | Promise
    to: str
    label: str | Promise
    at: datetime
    seq: int
    unread: bool


@dataclass(frozen=True)
class DayOfNews:
    """What happened on one day, the last first."""

    day: date
    items: list[Item] = field(default_factory=list)


@dataclass
class _Run:
    newest: Entry
    assignments: set[str]
    facts: int


def gathered(entries: Sequence[Entry]) -> list[_Run]:
    """Facts beside each other of one kind, about one thing, on one day, as one."""
    runs: list[_Run] = []
    for entry in entries:
        last = runs[-1] if runs else None
        if last is not None and _same(last.newest, entry):
            last.assignments |= set(entry.body.get("assignments", ()))
            last.facts += 1
        else:
            runs.append(_Run(entry, set(entry.body.get("assignments", ())), 1))
    return runs


def _same(one: Entry, other: Entry) -> bool:
    return (
        one.kind == other.kind
        and timezone.localdate(one.at) == timezone.localdate(other.at)
        and {k: v for k, v in one.body.items() if k != "assignments"}
        == {k: v for k, v in other.body.items() if k != "assignments"}
    )


def days_of_news(entries: Sequence[Entry], read: int) -> list[DayOfNews]:
    """The facts (newest first) in words, grouped by day; by four statements, however many there are."""
    runs = gathered(entries)
    names = _Names(runs)
    days: list[DayOfNews] = []
    for run in runs:
        item = _item(run, names, read)
        day = timezone.localdate(item.at)
        if not days or days[-1].day != day:
            days.append(DayOfNews(day))
        days[-1].items.append(item)
    return days


class _Names:
    """What the facts are about: only ids are kept in them."""

    def __init__(self, runs: Sequence[_Run]) -> None:
        self.batches: dict[str, str] = {str(key): name for key, name in _named(Batch, runs, "batch", "name").items()}
        self.sanctions = _named(Sanction, runs, "sanction", "words")
        self.appeals = _named(Appeal, runs, "appeal", "state")
        self.skills = _named(Skill, runs, "skill", "name")


def _named(model: Any, runs: Sequence[_Run], key: str, column: str) -> dict[str, str]:
    ids = {UUID(run.newest.body[key]) for run in runs if run.newest.body.get(key)}
    found = model.objects.filter(public_id__in=ids).values_list("public_id", column) if ids else ()
    return {str(public_id): text for public_id, text in found}


def _item(run: _Run, names: _Names, read: int) -> Item:
    body, kind = run.newest.body, run.newest.kind
    batch = names.batches.get(str(body.get("batch")), "")
    words, detail, to, label = _words(kind, run, body, batch, names)
    return Item(
        kind=kind,
        icon=ICONS.get(kind, "news"),
        words=words,
        detail=detail,
        to=to,
        label=label,
        at=run.newest.at,
        seq=run.newest.seq,
        unread=run.newest.seq > read,
    )


def _words(
    kind: str, run: _Run, body: dict[str, Any], batch: str, names: _Names
) -> tuple[str, str | Promise, str, str | Promise]:
    count = max(1, len(run.assignments))
    told: dict[str, Any] = {"count": count, "batch": batch}
    answers = _to("work_answers", f"?batch={body.get('batch', '')}")
    match kind:
        case "answer_accepted":
            text = ngettext(
                "An answer in “%(batch)s” was accepted", "%(count)d answers in “%(batch)s” were accepted", count
            )
            return text % told, "", answers, _("Your answers")
        case "answer_rejected":
            text = ngettext(
                "An answer in “%(batch)s” was rejected", "%(count)d answers in “%(batch)s” were rejected", count
            )
            return (
                text % told,
                _("See why, and contest it if it is not right."),
                _to("work_rejections"),
                _("Rejections"),
            )
        case "answer_returned":
            text = ngettext(
                "An answer in “%(batch)s” came back for repair",
                "%(count)d answers in “%(batch)s” came back for repair",
                count,
            )
            return text % told, _("Send it again before its time is over."), _to("work_rejections"), _("Repairs")
        case "answer_upheld":
            text = ngettext(
                "A rejection in “%(batch)s” was undone", "%(count)d rejections in “%(batch)s” were undone", count
            )
            return text % told, _("The answer is paid."), answers, _("Your answers")
        case "bonus_paid":
            return str(_("You got a bonus for “%(batch)s”")) % told, "", _to("work_statement"), _("Statement")
        case "lease_expired":
            text = ngettext(
                "The time for a task in “%(batch)s” ran out",
                "The time for %(count)d tasks in “%(batch)s” ran out",
                count,
            )
            return text % told, _("What you typed is kept as a draft."), "", ""
        case "payment_settled":
            text = ngettext("An answer in “%(batch)s” was paid", "%(count)d answers in “%(batch)s” were paid", count)
            return text % told, "", _to("work_earnings"), _("Earnings")
        case "appeal_opened":
            return str(_("You contested a decision")), "", _to("work_appeals"), _("Appeals")
        case "appeal_moved":
            return str(_("Something happened to your appeal")), "", _to("work_appeals"), _("Appeals")
        case "appeal_decided":
            state = APPEALS.get(names.appeals.get(body["appeal"], ""), (_("Decided"), ""))[0]
            return str(_("Your appeal is decided: %(state)s")) % {"state": state}, "", _to("work_appeals"), _("Appeals")
        case "sanctioned":
            measure = MEASURES.get(body.get("measure", ""), _("There is a new limit"))
            return (
                str(measure),
                names.sanctions.get(body["sanction"], ""),
                _to("work_standing"),
                _("Why, and until when"),
            )
        case "sanction_lifted":
            return str(_("A limit was lifted")), "", _to("work_standing"), _("Standing")
        case "skill_granted":
            name = names.skills.get(body["skill"], "")
            return str(_("You hold “%(skill)s” now")) % {"skill": name}, "", _to("work_standing"), _("Standing")
        case "skill_revoked":
            name = names.skills.get(body["skill"], "")
            return str(_("You no longer hold “%(skill)s”")) % {"skill": name}, "", _to("work_standing"), _("Standing")
        case "reputation_shown":
            return str(_("Your score is shown anew")), "", _to("work_standing"), _("Standing")
    return str(_("Something happened")), "", "", ""


def _to(name: str, query: str = "") -> str:
    try:
        return reverse(name) + query
    except NoReverseMatch:
        return ""

"""Words for what the staff's pages show by its name."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace.aggregation.agreement.words import sure_word
from marketplace.backoffice.forms import MEASURES, REACHES, REASONS
from marketplace.billing.models import Deposit
from marketplace.billing.queries import Liabilities
from marketplace.common.money import BASIS_POINTS
from marketplace.pages.plain import Field, answer_in_short
from marketplace.pages.rule_figures import figures_in_words
from marketplace.pages.templatetags.pages import duration, money, percent
from workers.appeals.states import Kind
from workers.assignments.states import RejectReason

register = template.Library()


@register.filter
def spaced(name: str) -> str:
    """A name of the program as words.

    >>> spaced("out_of_funds")
    'out of funds'
    """
    return str(name).replace("_", " ")


@register.filter
def aged(of: Any, what: str) -> Any:
    """A part by its name: of liabilities the ages of a place, and of those the amount of an age."""
    return of[what] if isinstance(of, dict) else of.ages[what]


@register.filter
def aged_in_all(of: Liabilities, what: str) -> int:
    """What is told by its age, of all ages together."""
    return of.aged(what)


@register.filter
def alert_in_words(name: str) -> str:
    """What an alert means, and what to look at."""
    return {
        "leases_overdue": _("Leases that should have ended still stand: are the background workers running?"),
        "scoring_behind": _("Answers wait too long to be scored: are the background workers running?"),
        "payments_behind": _("Accepted answers wait too long to be paid."),
        "dead_letters": _("Something was put aside after it killed its process three times; see below."),
        "relay_behind": _("News reaches people late: does the relay run?"),
        "events_skipped": _("Some events could not be read by the relay."),
        "events_held": _("A transaction that does not end holds all readers of events back."),
    }.get(name, spaced(name))


@register.filter
def place_in_words(name: str) -> str:
    """Where money lies."""
    return {
        "funds": _("Requesters' free funds"),
        "escrow": _("Held for batches"),
        "disputes": _("Aside for wrong rejections"),
        "topup": _("Aside for the hourly target"),
        "earned": _("Workers' earnings"),
        "withdrawing": _("On its way to workers"),
        "fees": _("Our fees"),
        "other": _("Elsewhere"),
        "outside": _("Outside, negated"),
    }.get(name, name)


@register.filter
def ageing_in_words(what: str) -> str:
    """What of the money that is owed is told by its age."""
    return {
        "withdrawing": _("On its way to workers"),
        "held": _("Held for batches and aside for them"),
        "earned": _("Workers' earnings"),
    }.get(what, what)


@register.filter
def age_in_words(age: str) -> str:
    """For how long money has lain, by the name of the age."""
    return {
        "up_to_1_day": _("1 day"),
        "up_to_7_days": _("7 days"),
        "up_to_30_days": _("30 days"),
        "up_to_90_days": _("90 days"),
        "older": _("Longer"),
    }.get(age, age)


@register.filter
def strength_in_words(found: Mapping[str, Any]) -> str:
    """How strong agreement is, as Landis and Koch called it in 1977, where its figures tell: of a field with its
    interval, or with all its figures."""
    alpha = found if "figures" not in found else {one["name"]: one for one in found["figures"]}.get("krippendorff", {})
    words = sure_word(found["words"], alpha.get("low"), alpha.get("high"))
    return {
        "unknown": _("not known yet"),
        "too few": _("too few answers to tell"),
        "poor": _("poor"),
        "slight": _("slight"),
        "fair": _("fair"),
        "moderate": _("moderate"),
        "substantial": _("substantial"),
        "almost perfect": _("almost perfect"),
    }.get(words, words)


@register.filter
def finding_in_words(kind: str) -> str:
    """What differs between a provider's report and the books."""
    return {
        "paid-unknown": _("Paid there, and no payout of ours has the key"),
        "paid-not-settled": _("Paid there, and not settled here"),
        "settled-missing": _("Settled here, and not paid there"),
        "amount-differs": _("Another amount or currency"),
        "doubled": _("Paid there more than once"),
    }.get(kind, kind)


@register.filter
def differences_in_words(findings: dict[str, list[Any]]) -> str:
    """What differs between a bank's report and the deposits here, by number; nothing where all agree."""
    words = {
        "missing_here": _("%(n)d reported and not recorded here"),
        "missing_there": _("%(n)d recorded here and not reported"),
        "different": _("%(n)d with another amount or currency"),
    }
    return ", ".join(text % {"n": len(findings[name])} for name, text in words.items() if findings[name])


@register.filter
def evidence_of(deposit: Deposit) -> str:
    """A deposit's evidence; who recorded it without any stands there by his id, and is shown by his address."""
    by = deposit.recorded_by
    return deposit.evidence.replace(str(by.public_id), by.email) if by else deposit.evidence


@register.filter
def detail_in_words(detail: str) -> str:
    """What differs in one row of a provider's report: it is kept with amounts in millionths.

    >>> detail_in_words("settled here")
    'settled here'
    """
    return spaced(re.sub(r"\b(\d+) ([A-Z]{3})\b", lambda match: money(int(match[1]), match[2]), detail))


@register.filter
def as_json(value: Any) -> str:
    """JSON to be read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def act_in_words(act: str) -> str:
    """What an act of the log did, without its kind.

    >>> act_in_words("configuration.platform_rules")
    'platform rules'
    """
    return spaced(act.partition(".")[2])


@register.filter
def rejection_figure_in_words(name: str) -> str:
    """What a figure says that is kept with a review of rejections."""
    return {
        "asked": _("Answers to be rejected now"),
        "answered": _("Answers in the batch so far"),
        "allowed": _("Rejections without a look, in this batch"),
        "taken": _("Rejected here before"),
        "waiting": _("Waiting for a look already"),
        "back": _("Out for repair"),
        "week_taken": _("Rejected by the organisation this week"),
        "week_allowed": _("Rejections without a look, in a week"),
        "compared": _("Rejected answers that others can be held against"),
        "agreeing": _("Of these, as most others say"),
        "disagreement": _("Usual share of answers that most others contradict"),
    }.get(name, spaced(name))


@register.filter
def in_short(values: dict[str, Any], fields: Sequence[Field]) -> str:
    """An answer or a key in one line, in the words of the fields that asked for it."""
    return answer_in_short(fields, values)


@register.filter
def said(answer: dict[str, Any], asked: Mapping[tuple[UUID, int], Sequence[Field]]) -> str:
    """What was said in a row of a worker's answers, with what each version `asked`, by batch and version."""
    return answer_in_short(asked[answer["batch"], answer["version"]], answer["values"])


@register.filter
def measure_in_words(measure: str) -> str:
    """What a limit does."""
    return str(MEASURES.get(measure, spaced(measure)))  # type: ignore[call-overload]


@register.filter
def reach_in_words(scope: str) -> str:
    """Where a limit or a rule holds."""
    return str(REACHES.get(scope, spaced(scope)))  # type: ignore[call-overload]


@register.filter
def is_over(moment: datetime) -> bool:
    """Whether a moment has passed, as `when` tells it."""
    return moment <= timezone.now()


@register.filter
def reason_in_words(reason: str) -> str:
    """Why somebody is limited."""
    return str(REASONS.get(reason, spaced(reason)))  # type: ignore[call-overload]


@register.filter
def evidence_in_words(evidence: dict[str, Any]) -> dict[str, Any]:
    """What a limit or a rule rests on: the figures that were looked at, and whatever else is written down with it."""
    given = [*evidence.get("figures", ()), *evidence.get("metrics", ())]
    names = {"note": _("Said"), "rule": _("Rule"), "answers": _("Answers looked at, each field by itself")}
    facts = [
        (names.get(name, spaced(name)), value if isinstance(value, str | int | float) else json.dumps(value))
        for name, value in evidence.items()
        if name not in ("figures", "metrics")
    ]
    return {"figures": figures_in_words(given), "facts": facts}


@register.filter
def work_in_words(state: str) -> str:
    """Where a task that somebody took stands."""
    return {
        "leased": _("In work"),
        "submitted": _("Waits for a decision"),
        "accepted": _("Accepted"),
        "rejected": _("Rejected"),
        "returned": _("Given back"),
        "expired": _("Time ran out"),
        "upheld": _("Rejected, then won"),
    }.get(state, spaced(state))


@register.filter
def key_in_words(state: str) -> str:
    """How a check question stands."""
    return {
        "live": _("In use"),
        "waiting": _("Waiting"),
        "flagged": _("In doubt"),
        "retired": _("Given up"),
    }.get(state, spaced(state))


@register.filter
def figure_in_words(name: str) -> str:
    """A figure of agreement."""
    return {
        "krippendorff": _("Krippendorff's alpha"),
        "agreement": _("Two answers agree"),
        "score": _("How alike two answers are"),
        "fleiss": _("Fleiss' kappa"),
        "cohen": _("Cohen's kappa"),
        "iou": _("Overlap (IoU)"),
        "dice": _("Overlap (Dice)"),
    }.get(name, spaced(name))


@register.filter
def rejected_for(reason: str) -> str:
    """Why a requester rejects."""
    return {
        RejectReason.WRONG.value: _("It is wrong"),
        RejectReason.INCOMPLETE.value: _("Something is missing"),
        RejectReason.SPAM.value: _("No honest try"),
        RejectReason.OFF_INSTRUCTIONS.value: _("Not as the instructions ask"),
    }.get(reason, spaced(reason))


@register.filter
def step_in_words(kind: str) -> str:
    """What happened to an appeal."""
    return {
        Kind.OPENED.value: _("Opened by the worker"),
        Kind.STATEMENT.value: _("The requester says"),
        Kind.REFERRED.value: _("Given to a person, as the others did not settle it"),
        Kind.NAMED.value: _("Somebody was named to judge"),
        Kind.UPHELD.value: _("Decided: the worker is right"),
        Kind.REFUSED.value: _("Decided: the worker is not right"),
        Kind.LAPSED.value: _("Not decided in time: the worker has won"),
    }.get(kind, spaced(kind))


@register.filter
def share_right(found: dict[str, Any]) -> float:
    """Of what was compared with keys, the share that was right."""
    return float(found["right"] / found["judged"]) if found["judged"] else 0.0


@register.filter
def setting_in_words(name: str) -> str:
    """What of the site its environment sets."""
    return {
        "fee_basis_points": _("Fee on each paid answer"),
        "fee_minimum_micros": _("Fee at least"),
        "dispute_basis_points": _("Aside for wrong rejections at least"),
        "appeal_s": _("A rejection can be contested for"),
        "minimum_micros": _("At least"),
        "maximum_micros": _("At most at once"),
        "daily_micros": _("At most within 24 hours"),
        "daily_count": _("Times within 24 hours"),
        "review_micros": _("Staff look from"),
        "sign-up": _("Sign up, from one address"),
        "invitation": _("Try codes of invitations"),
        "password-account": _("Try passwords of one account"),
        "password-address": _("Try passwords from one address"),
        "payout-notice": _("Send notices that are not a provider's"),
        "dataset-link": _("Try links to data sets"),
    }.get(name, name)


@register.filter
def set_to(value: Any, name: str) -> str:
    """A value by what its name says of its unit."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("offered") if value else _("not offered")
    if name.endswith("_basis_points"):
        return percent(value / BASIS_POINTS, 2)
    if name.endswith("_micros"):
        return money(value)
    return duration(value) if name.endswith("_s") else str(value)

"""What came of work, in words: outcomes of answers, payouts, appeals, limits, and figures of rules."""

from collections.abc import Iterator
from typing import Any

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from workers.appeals.models import Appeal
from workers.appeals.states import Kind, Method, State

Text = str | Promise

# The words, the tone of the badge, and what it means for whoever wonders.
OUTCOMES: dict[str, tuple[Text, str, Text]] = {
    "waiting": (_("Waiting"), "", _("The requester has not decided yet. If he never does, it is accepted by itself.")),
    "repair": (_("Back for repair"), "warn", _("The requester asks you to look at it once more.")),
    "not_repaired": (_("Not sent again"), "quiet", _("It came back for repair and was not sent again in time.")),
    "due": (_("Accepted"), "good", _("It is yours, and is put on your account next.")),
    "paid": (_("Paid"), "good", _("The money is on your account.")),
    "rejected": (_("Rejected"), "bad", _("It is not paid. You can contest it until the time it says.")),
}
REASONS: dict[str, Text] = {
    "wrong": _("The answer is wrong"),
    "incomplete": _("Something is missing"),
    "spam": _("No honest try"),
    "off_instructions": _("Not as the instructions ask"),
}
PAYOUTS: dict[str, tuple[Text, str, Text]] = {
    "requested": (_("Asked for"), "", _("The money is set aside and goes out with the next run.")),
    "approved": (_("Approved"), "", _("It is sent next.")),
    "sent": (_("Sent"), "", _("It left; your bank or wallet takes a while.")),
    "in_doubt": (
        _("Being checked"),
        "warn",
        _("The provider did not answer. We ask again until we know; nothing is lost."),
    ),
    "settled": (_("Paid out"), "good", _("You have it.")),
    "failed": (_("Failed"), "bad", _("The provider did not pay it. The money comes back to your account next.")),
    "returned": (_("Came back"), "warn", _("The money is on your account again.")),
    "refused": (_("Refused"), "bad", _("The money is on your account again.")),
    "cancelled": (_("Called off"), "quiet", _("By you. The money is on your account again.")),
}
MEASURES: dict[str, Text] = {
    "slow_down": _("You are slowed down"),
    "extra_gold": _("Your answers are checked more closely"),
    "limit": _("You cannot take new work"),
    "review": _("Somebody looks at your answers"),
    "ban": _("Your account is closed to new work"),
}
SANCTIONED_FOR: dict[str, Text] = {
    "low_accuracy": _("too many wrong answers"),
    "disagreement": _("answers that differ from most others'"),
    "haste": _("answers given faster than the task can be done"),
    "skips": _("many tasks skipped in a row"),
    "repetition": _("the same answer again and again"),
    "spam": _("answers that look like no honest try"),
    "copying": _("answers that look copied"),
    "rejections": _("many rejected answers"),
    "terms": _("a breach of the terms of this site"),
    "other": _("another reason"),
}
SCOPES: dict[str, Text] = {
    "batch": _("in one batch of %(requester)s"),
    "project": _("in one project of %(requester)s"),
    "requester": _("in the work of %(requester)s"),
    "platform": _("on the whole site"),
}
FIGURES: dict[str, Text] = {
    "fast_share": _("share of very fast answers"),
    "median_seconds": _("median seconds for an answer"),
    "skips_in_row": _("tasks skipped in a row"),
    "acceptance_rate": _("share of accepted answers"),
    "decided": _("decided answers"),
    "answers": _("answers"),
    "submitted": _("submitted answers"),
    "income_day_micros": _("earned in a day (millionths)"),
    "repetition": _("share of equal answers"),
    "review_accuracy": _("share found right on review"),
    "training_score": _("score in training"),
    "exam_score": _("score in the exam"),
    "point": _("measured"),
    "value": _("measured"),
    "low": _("at least"),
    "high": _("at most"),
    "bound": _("limit"),
    "below": _("limit: below"),
    "above": _("limit: above"),
    "at_least": _("limit: at least"),
    "at_most": _("limit: at most"),
    "days": _("days"),
    "weight": _("weight"),
    "count": _("how many"),
    "of": _("out of"),
    "since": _("since"),
    "until": _("until"),
    "note": _("note"),
    "metric": _("figure"),
}
APPEALS: dict[str, tuple[Text, str]] = {
    State.OPEN: (_("Open"), "warn"),
    State.UPHELD: (_("Won"), "good"),
    State.REFUSED: (_("Lost"), "bad"),
    State.LAPSED: (_("Won: nobody decided in time"), "good"),
}
METHODS: dict[str, Text] = {
    Method.REWORK: _(
        "Others who do the same task decide it without knowing: if more than half of at least three answer as you did,"
        " you win."
    ),
    Method.ADJUDICATOR: _(
        "A person decides who has no part in it: nobody of the requester, and nobody who judged before."
    ),
}
STEPS: dict[str, Text] = {
    Kind.OPENED: _("You contested it"),
    Kind.STATEMENT: _("The requester says"),
    Kind.REFERRED: _("A person judges it now"),
    Kind.NAMED: _("Somebody was named to judge it"),
    Kind.UPHELD: _("Decided for you"),
    Kind.REFUSED: _("Decided against you"),
    Kind.LAPSED: _("The time was over, so you won"),
}
LINES: dict[str, Text] = {
    "reward": _("Accepted answers"),
    "upheld": _("Won on appeal"),
    "topup": _("Top-up to the promised hourly pay"),
    "bonus": _("Bonus"),
    "payout": _("Payout asked for"),
    "payout-back": _("Payout came back"),
    "payout-returned": _("Payment sent back by the receiver"),
}
WHY_NOT: dict[str, Text] = {
    "nothing_earned": _("You have nothing to withdraw in this currency yet."),
    "below_minimum": _("It is less than the least that is paid out."),
    "no_destination": _("Say first where we should pay you."),
    "destination_waits": _(
        "Your new payout destination cannot be used before 72 hours are over. This protects you if somebody steals"
        " your account."
    ),
    "day_is_full": _("You have asked for as much as may go out within 24 hours."),
}


def where_of(scope: str, requester: str | None) -> str:
    """How far a limit reaches, with the name of whose work it is."""
    return str(SCOPES[scope]) % {"requester": requester}


def what_next(appeal: Appeal) -> Text:
    """What happens to the appeal from here on."""
    against_sanction = appeal.sanction_id is not None
    if appeal.state == State.OPEN:
        return METHODS[appeal.method]
    if appeal.state == State.REFUSED:
        return _("The limit stays until it ends.") if against_sanction else _("The rejection is final.")
    return _("The limit is lifted.") if against_sanction else _("The answer is paid, and counts for you.")


def evidence_in_words(evidence: Any, *, under: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of a label and a text of what `marketplace.accounts.evidence.told` lets through."""
    if isinstance(evidence, list):
        for part in evidence:
            yield from evidence_in_words(part, under=under)
        return
    for name, value in evidence.items():
        label = str(FIGURES.get(name, str(name).replace("_", " ")))
        label = f"{under}: {label}" if under else label
        if isinstance(value, (dict, list)):
            yield from evidence_in_words(value, under=label if name in FIGURES else under)
        elif name == "metric":
            yield label, str(FIGURES.get(str(value), value))
        else:
            yield label, in_words(value)


def in_words(value: Any) -> str:
    """A plain value for people."""
    if isinstance(value, bool):
        return _now("yes") if value else _now("no")
    if isinstance(value, float):
        return formats.number_format(round(value, 3), use_l10n=True)
    return "–" if value is None else str(value)

"""What the console says of answers: their states, queues, why they were rejected or not given; in words."""

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from marketplace.results.commands.rejections import Rejected
from marketplace.results.states import Cause, Queue, ReviewState, RulingReason
from workers.assignments.states import RejectReason, ReturnReason, State

Text = str | Promise

QUEUES: dict[str, Text] = {
    Queue.DISAGREEMENTS: _("Disagreements"),
    Queue.ESCALATIONS: _("Escalations"),
    Queue.SAMPLE: _("Sample"),
    Queue.GOLD: _("Gold"),
}
# What a queue is, and what to do there.
ABOUT: dict[str, Text] = {
    Queue.DISAGREEMENTS: _("Answers to these tasks differ, or somebody found them unclear. Say which is the label."),
    Queue.ESCALATIONS: _("You are asked to look at an answer of these tasks. Accept it, reject it or give it back."),
    Queue.SAMPLE: _("Chance has drawn these tasks. Say whether their labels are right: a few of them tell of all."),
    Queue.GOLD: _("These keys wait for your word, or good workers keep failing them. Confirm them or give them up."),
}
EMPTY: dict[str, Text] = {
    Queue.DISAGREEMENTS: _("No task waits for you: where all answers are there, they agree or you have settled it."),
    Queue.ESCALATIONS: _("Nobody asks you to look at an answer just now."),
    Queue.SAMPLE: _("Chance can draw no task: none has all its answers yet, or you have looked at all of them."),
    Queue.GOLD: _("No key waits for your word."),
}
# The words and the tone of the badge.
ANSWERS: dict[str, tuple[Text, str]] = {
    State.SUBMITTED: (_("Waits for a decision"), ""),
    State.ACCEPTED: (_("Accepted"), "good"),
    State.REJECTED: (_("Rejected"), "bad"),
    State.UPHELD: (_("Rejected, then won"), "warn"),
}
REJECTED_FOR: dict[str, Text] = {
    RejectReason.WRONG: _("It is wrong"),
    RejectReason.INCOMPLETE: _("Something is missing"),
    RejectReason.SPAM: _("No honest try"),
    RejectReason.OFF_INSTRUCTIONS: _("Not as the instructions ask"),
}
RULED_FOR: dict[str, Text] = {
    RulingReason.INSTRUCTIONS: _("The instructions settle it"),
    RulingReason.PLAIN: _("It is plain to see in the item"),
    RulingReason.BEST: _("Doubtful; this is the best reading"),
    RulingReason.OTHER: _("Another reason, in words"),
}
REVIEWS: dict[str, tuple[Text, str]] = {
    ReviewState.OPEN: (_("Waits for a look"), "warn"),
    ReviewState.APPROVED: (_("Approved: rejected"), ""),
    ReviewState.REFUSED: (_("Refused: to be paid"), "bad"),
    ReviewState.LAPSED: (_("Over: all were decided before"), "quiet"),
}
GIVEN_UP: dict[str, Text] = {
    ReturnReason.TOO_HARD: _("Too hard"),
    ReturnReason.UNCLEAR_INSTRUCTIONS: _("The instructions are unclear"),
    ReturnReason.BROKEN: _("Something is broken"),
    ReturnReason.INAPPROPRIATE: _("Should not be shown to people"),
    ReturnReason.OTHER: _("Another reason"),
    "expired": _("Time ran out"),
}
KEY_STATES: dict[str, Text] = {
    "waiting": _("The crowd is sure of it and waits for your word"),
    "flagged": _("Good workers keep failing it: it may be wrong"),
}


def rejected_in_words(done: Rejected) -> Text:
    """What became of rejections."""
    told = []
    if done.rejected:
        told.append(ngettext("%(n)d answer rejected.", "%(n)d answers rejected.", done.rejected) % {"n": done.rejected})
    if done.waiting:
        why = (
            gettext("it agrees with what others answered")
            if done.cause == Cause.CONSENSUS
            else gettext("so many are not rejected without a second look")
        )
        words = ngettext(
            "%(n)d rejection waits for a look by the people who run this site: %(why)s. Unless they approve it in time,"
            " the answer is accepted and paid.",
            "%(n)d rejections wait for a look by the people who run this site: %(why)s. Unless they approve them in"
            " time, the answers are accepted and paid.",
            done.waiting,
        )
        told.append(words % {"n": done.waiting, "why": why})
    return " ".join(told) or gettext("Nothing was left to reject.")


def given_back_in_words(given: int) -> Text:
    """How many answers went back for repair."""
    words = ngettext("%(n)d answer is back with its worker.", "%(n)d answers are back with their workers.", given)
    return words % {"n": given}

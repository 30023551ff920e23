"""What speaks against going on after a pilot."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.results.reports.figures import FieldAgreement

# From so many on, a share says something.
ANSWERS_LEAST = 10
UNCLEAR_ABOVE = 0.10
# Even the most that gold allows to be right is less than this.
GOLD_BELOW = 0.80
# An interval that is wider says too little to judge by, and so do figures of fewer items.
WIDE_ABOVE = 0.40
ITEMS_LEAST = 5


@dataclass(frozen=True)
class Concern:
    """What was seen (`agreement`, `unclear`, `gold`, `pay`), and what to do about it, in words; `few` where too little
    was seen to judge."""

    about: str
    words: str


def concerns_of(
    *,
    answers: int,
    workers: int,
    unclear: int,
    agreement: Sequence[tuple[str, FieldAgreement]],
    keys: int,
    judged: int,
    passed: tuple[float, float],
    hourly_micros: int | None,
    target_micros: int | None,
) -> list[Concern]:
    """What to mend before the rest is published, and what cannot be judged yet; nothing where there is enough to judge
    by and nothing was found. `agreement` is by the fields' titles; `passed` are the bounds of the share of known
    answers that is met; `keys` is how many tasks have one.

    >>> [one.about for one in concerns_of(answers=20, workers=1, unclear=3, agreement=[], keys=4, judged=4,
    ...                                   passed=(0.15, 0.85), hourly_micros=None, target_micros=None)]
    ['unclear', 'few', 'few']
    """
    if answers < ANSWERS_LEAST:
        return [Concern("few", f"There are {answers} answers so far; {ANSWERS_LEAST} are the least that say anything.")]
    found = [Concern("agreement", f"{title}: {one.advice}") for title, one in agreement if one.advice]
    if unclear / answers > UNCLEAR_ABOVE:
        share = f"{100 * unclear / answers:.0f}\u00a0%"
        found.append(
            Concern(
                "unclear", f"{share} of the answers say that the task is unclear: read their comments, then mend it."
            )
        )
    if judged >= ANSWERS_LEAST and passed[1] < GOLD_BELOW:
        found.append(
            Concern("gold", "Check questions are failed too often: look whether their keys and instructions are right.")
        )
    elif keys and (judged < ANSWERS_LEAST or _wide(*passed)):
        told = "1 answer" if judged == 1 else f"{judged} answers"
        found.append(Concern("few", f"Not enough to judge by known answers: {told} to them so far."))
    if workers == 1:
        found.append(Concern("few", "Not enough to judge how far people agree: all answers are of one worker."))
    else:
        found += [
            Concern("few", f"{title}: not enough to judge how far people agree.")
            for title, one in agreement
            if not one.advice and _says_little(one)
        ]
    if hourly_micros is not None and target_micros is not None and hourly_micros < target_micros:
        found.append(Concern("pay", "An hour of this work pays less than your target: raise the price of an answer."))
    return found


def _says_little(field: FieldAgreement) -> bool:
    """Whether agreement is unknown, or rests on so few items that it could be anything."""
    figure = field.figures["agreement"]
    if figure.low is None or figure.high is None:
        return True
    return field.compared < ITEMS_LEAST or _wide(figure.low, figure.high)


def _wide(low: float, high: float) -> bool:
    return high - low > WIDE_ABOVE

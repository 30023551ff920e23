"""What speaks against going on after a pilot."""

from collections.abc import Sequence
from dataclasses import dataclass

# From so many on, a share says something.
ANSWERS_LEAST = 10
UNCLEAR_ABOVE = 0.10
# Even the most that gold allows to be right is less than this.
GOLD_BELOW = 0.80


@dataclass(frozen=True)
class Concern:
    """What was seen (`agreement`, `unclear`, `gold`, `pay`, `few`), and what to do about it, in words."""

    about: str
    words: str


def concerns_of(
    *,
    answers: int,
    unclear: int,
    advice: Sequence[tuple[str, str]],
    judged: int,
    passed_high: float,
    hourly_micros: int | None,
    target_micros: int | None,
) -> list[Concern]:
    """What to mend before the rest is published; nothing where nothing was found.

    >>> [one.about for one in concerns_of(answers=20, unclear=3, advice=[], judged=0, passed_high=1.0,
    ...                                   hourly_micros=None, target_micros=None)]
    ['unclear']
    """
    if answers < ANSWERS_LEAST:
        return [Concern("few", f"There are {answers} answers so far; {ANSWERS_LEAST} are the least that say anything.")]
    found = [Concern("agreement", f"{field}: {words}") for field, words in advice]
    if unclear / answers > UNCLEAR_ABOVE:
        share = f"{unclear / answers:.0%}"
        found.append(
            Concern(
                "unclear", f"{share} of the answers say that the task is unclear: read their comments, then mend it."
            )
        )
    if judged >= ANSWERS_LEAST and passed_high < GOLD_BELOW:
        found.append(
            Concern("gold", "Check questions are failed too often: look whether their keys and instructions are right.")
        )
    if hourly_micros is not None and target_micros is not None and hourly_micros < target_micros:
        found.append(Concern("pay", "An hour of this work pays less than your target: raise the price of an answer."))
    return found

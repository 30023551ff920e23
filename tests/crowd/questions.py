"""Made-up tasks with a known truth: texts that differ in most of their words, so that none passes for a copy."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

FIELD = "label"
LABELS = ("animal", "building", "plant", "vehicle")
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


@dataclass(frozen=True, slots=True)
class Question:
    """One task: its name, what it shows, what is true of it, and whether its truth is imported as a key.

    `overlap` is how many answers it is to get where that is not the batch's.
    """

    name: str
    text: str
    truth: str
    gold: bool = False
    overlap: int | None = None

    def row(self) -> dict[str, Any]:
        """A row of an import."""
        row: dict[str, Any] = {"external_id": self.name, "data": {"text": self.text}}
        if self.gold:
            row["gold"] = {FIELD: self.truth}
        if self.overlap is not None:
            row["overlap"] = self.overlap
        return row


def interface(labels: tuple[str, ...] = LABELS) -> dict[str, Any]:
    """What workers are shown and asked."""
    choice = {
        "name": FIELD,
        "type": "choice",
        "required": True,
        "labels": [{"value": label, "title": label.capitalize()} for label in labels],
    }
    return {"data": [{"name": "text", "type": "text"}], "answer": [choice]}


def make_questions(ordinary: int, gold: int, *, seed: int, labels: tuple[str, ...] = LABELS) -> list[Question]:
    """Ordinary and gold questions, shuffled, so that no order tells them apart; labels are equally frequent.

    Their names do not tell either: they are numbered after the shuffle.
    """
    draws = Random(f"questions {seed}")
    known = [n < gold for n in range(ordinary + gold)]
    draws.shuffle(known)
    made = []
    for number, is_gold in enumerate(known, start=1):
        words = ["".join(draws.choices(_SYLLABLES, k=draws.randint(2, 4))) for _ in range(draws.randint(10, 18))]
        made.append(Question(f"q{number:06d}", " ".join(words), draws.choice(labels), is_gold))
    return made

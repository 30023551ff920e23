"""One text out of several, for every answer type whose answers are texts."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marketplace.aggregation.text.edits import edit_distance
from marketplace.aggregation.text.medoid import Answers, TextResult, Tokens, medoid
from marketplace.aggregation.text.rover import rover
from marketplace.projects.answer_types.base import AnswerTable
from marketplace.projects.answer_types.labelling import STRANGER
from marketplace.projects.answer_types.marking import in_order

METHODS: Mapping[str, Callable[[Answers], TextResult]] = {"rover": rover, "medoid": medoid}


@dataclass(frozen=True)
class Worded:
    """What `TextResult` says, with the words as they were written.

    `rows` are the rows of the answers by which `result.origin` counts. `words` is by task the result, each word in its
    most frequent spelling; None where a task has no answers.
    """

    result: TextResult
    rows: list[int]
    words: list[list[str] | None]


def normal_form(text: str) -> str:
    """Texts that a reader would call the same have the same normal form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def normal_word(word: str) -> str:
    """The word without the punctuation around it, in its normal form; the bare normal form where nothing is left."""
    form = normal_form(word)
    first = next((at for at, letter in enumerate(form) if letter.isalnum()), None)
    if first is None:
        return form
    last = next(at for at in range(len(form) - 1, -1, -1) if form[at].isalnum())
    return form[first : last + 1]


def words_of(text: str, unit: str) -> list[str]:
    """The text cut into words, or with the unit `character` into the characters that are no white space."""
    return text.split() if unit == "word" else list("".join(text.split()))


def text_of(words: Sequence[str], unit: str) -> str:
    """Words put together again; the space between characters is lost."""
    return (" " if unit == "word" else "").join(words)


def word_edits(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words lie between two texts: to insert, delete or replace. Words are compared by `normal_word`."""
    return edit_distance([normal_word(word) for word in one], [normal_word(word) for word in other])


def worded(answers: AnswerTable, texts: Sequence[Sequence[str]], method: str) -> Worded:
    """One list of words for each task by one of `METHODS`; `texts` are the words of each row.

    Words are compared by `normal_word` and come back in the spelling that was given most often for that word in the
    task, of equals the first in sorted order. Workers count by their accuracy at first, and then by how near they are
    to what was chosen.
    """
    rows = in_order(answers)
    workers = list(dict.fromkeys(answers.worker[at] for at in rows))
    number = {worker: at for at, worker in enumerate(workers)}
    tokens: list[Tokens] = [tuple(map(normal_word, texts[at])) for at in rows]
    table = Answers(
        [answers.task[at] for at in rows],
        [number[answers.worker[at]] for at in rows],
        tokens,
        answers.n_tasks,
        np.clip(np.array([answers.accuracy.get(worker, STRANGER) for worker in workers], np.float64), 0.0, 1.0),
    )
    result = METHODS[method](table)
    spellings: list[dict[Any, dict[str, int]]] = [{} for _ in range(answers.n_tasks)]
    for at, forms in zip(rows, tokens, strict=True):
        of_task = spellings[answers.task[at]]
        for form, word in zip(forms, texts[at], strict=True):
            counts = of_task.setdefault(form, {})
            counts[word] = counts.get(word, 0) + 1
    words = [
        None if found is None else [min(known[form].items(), key=lambda item: (-item[1], item[0]))[0] for form in found]
        for found, known in zip(result.tokens, spellings, strict=True)
    ]
    return Worded(result, rows, words)

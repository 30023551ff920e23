"""Votes on stretches of a text or a sound, for every answer type whose answers are such."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.aggregation.text.stretches import Piece, Stretch, cut, joined
from marketplace.projects.answer_types.base import AnswerTable
from marketplace.projects.answer_types.labelling import labelled

# What a piece without a label is voted as. No label is the empty text.
NOTHING = ""


@dataclass(frozen=True)
class Marked:
    """The stretches of each task that has answers, sorted by place, and how sure the least sure piece of it is."""

    stretches: Mapping[int, list[Stretch]]
    confidence: Mapping[int, float]
    iterations: int
    converged: bool


def marked(
    answers: AnswerTable, given: Sequence[Sequence[Stretch]], declared: Sequence[str], method: str, *, layers: bool
) -> Marked:
    """Stretches by votes on the pieces between all boundaries that anyone drew, by one of `labelling.METHODS`.

    given     the stretches of each row of the answers
    declared  labels in order, by which ties break; a tie with no label goes to the label
    layers    labels may overlap: each is voted on by itself. Otherwise each piece has one label or none

    With `dawid_skene` that is token EM: workers' errors are estimated over all pieces of all tasks.
    """
    order = {label: at for at, label in enumerate(declared)}
    used = {label for stretches in given for label, _, _ in stretches}
    labels = [label for label in declared if label in used] + sorted(used - order.keys())
    rows: dict[int, list[int]] = {}
    for at in in_order(answers):
        rows.setdefault(answers.task[at], []).append(at)
    found_in: dict[int, list[Stretch]] = {task: [] for task in rows}
    confidence = dict.fromkeys(rows, 1.0)
    iterations, converged = 0, True
    for layer in [[label] for label in labels] if layers else [labels]:
        pieces = {task: cut([_of(given[at], layer) for at in row]) for task, row in rows.items()}
        votes = _votes(answers, rows, pieces)
        if not votes.n_tasks:
            continue
        result, _, values = labelled(votes, [*layer, NOTHING], method)
        iterations, converged = max(iterations, result.iterations), converged and result.converged
        chosen = [values[label] for label in result.labels.tolist()]
        first = 0
        for task, found in pieces.items():
            own = slice(first, first := first + len(found))
            found_in[task] += joined(found, [label or None for label in chosen[own]])
            confidence[task] = min([confidence[task], *result.confidence[own].tolist()])
    places = {label: at for at, label in enumerate(labels)}
    for stretches in found_in.values():
        stretches.sort(key=lambda stretch: (stretch[1], stretch[2], places[stretch[0]]))
    return Marked(found_in, confidence, iterations, converged)


def in_order(answers: AnswerTable) -> list[int]:
    """The rows by task, value and worker: sums of them are the same to the bit, however the answers came."""
    return sorted(
        range(len(answers.task)), key=lambda at: (answers.task[at], repr(answers.value[at]), str(answers.worker[at]))
    )


def _of(value: Sequence[Stretch], labels: Sequence[str]) -> list[Stretch]:
    return [stretch for stretch in value if stretch[0] in labels]


def _votes(answers: AnswerTable, rows: Mapping[int, list[int]], pieces: Mapping[int, list[Piece]]) -> AnswerTable:
    """Each piece as a task of its own."""
    task: list[int] = []
    worker: list[Any] = []
    value: list[Any] = []
    number = 0
    for of, found in pieces.items():
        workers = [answers.worker[at] for at in rows[of]]
        for piece in found:
            task += [number] * len(workers)
            worker += workers
            value += [NOTHING if label is None else label for label in piece.labels]
            number += 1
    return AnswerTable(task, worker, value, number, answers.accuracy)

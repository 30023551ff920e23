"""What the answers to a task say together, and each of them beside what the others say without it: pure rules."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marketplace.aggregation.running import agreement_weight, running_consensus
from marketplace.aggregation.votes import Votes
from marketplace.projects.answer_types.base import AnswerTable, Field
from marketplace.projects.answer_types.labelling import STRANGER
from marketplace.projects.answer_types.labels import is_single_label
from marketplace.projects.answer_types.registry import answer_type

# Agreement is worth half of what a known answer is worth, at most: the others may be wrong together.
AGREEMENT = 0.5
# Where answers are not labels, a consensus is what at least so many others say, and more than half of them.
SHARED_BY = 2
# Answers to such a field differ where less than this share of them agrees.
ALIKE = 0.8


@dataclass(frozen=True)
class Given:
    """One answer that counts."""

    assignment_id: int
    task_id: int
    worker_id: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Trust:
    """How often a worker is expected to be right: in the project, and by field and label where that is known."""

    overall: float = STRANGER
    by_label: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class FieldConsensus:
    """What the answers to one field come to. `labels` is the posterior of each label that was given, if it has such."""

    value: Any
    posterior: float
    answers: int
    labels: Mapping[str, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        stored = {"value": self.value, "posterior": self.posterior, "answers": self.answers}
        return stored if self.labels is None else {**stored, "labels": dict(self.labels)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FieldConsensus":
        """What `as_json` wrote."""
        return cls(stored["value"], stored["posterior"], stored["answers"], stored.get("labels"))


@dataclass(frozen=True)
class Beside:
    """One field of an answer beside what the others say: score 0 … 1, the weight of that, and how many of them agree
    with it; for a single label also what was right by them, and what was given."""

    score: float
    weight: float
    easiness: float
    truth: str | None = None
    given: str | None = None


@dataclass(frozen=True)
class Agreement:
    """A whole answer beside the others, its fields by their weights."""

    answer: Given
    score: float
    weight: float
    easiness: float
    fields: Mapping[str, Beside]


@dataclass(frozen=True)
class Found:
    """Consensus by task and field, and each answer that the others can judge."""

    tasks: dict[int, dict[str, FieldConsensus]]
    agreements: list[Agreement]


def judge(fields: Sequence[Field], answers: Sequence[Given], trust: Mapping[int, Trust]) -> Found:
    """Consensus of all tasks that the answers belong to, and each answer beside the consensus of the others.

    A single label is judged by the posterior of running consensus, everything else by its type's own aggregation with
    the confidence that says. A field that was left empty is wrong where more than half of the others filled it in; one
    that was filled in is not judged where at most half of the others did. An answer about which the others say nothing
    that is better than a guess is not among the agreements.
    """
    tasks: dict[int, dict[str, FieldConsensus]] = {answer.task_id: {} for answer in answers}
    of_task: dict[int, list[Given]] = defaultdict(list)
    for answer in answers:
        of_task[answer.task_id].append(answer)
    beside: dict[int, dict[str, Beside]] = defaultdict(dict)
    for declared in fields:
        name = declared["name"]
        filled = [answer for answer in answers if name in answer.values]
        if not filled:
            continue
        look = _labels if is_single_label(declared) else _others
        by_task, by_answer = look(declared, filled, trust)
        for task_id, consensus in by_task.items():
            tasks[task_id][name] = consensus
            mates = of_task[task_id]
            for answer in mates:
                others = consensus.answers - (name in answer.values)
                if 2 * others <= len(mates) - 1:
                    continue
                if name in answer.values:
                    if (known := by_answer.get(answer.assignment_id)) is not None:
                        beside[answer.assignment_id][name] = known
                elif (weight := _weight(declared, consensus)) > 0:
                    beside[answer.assignment_id][name] = Beside(0.0, weight, others / (len(mates) - 1))
    return Found(tasks, [_whole(answer, beside[answer.assignment_id]) for answer in answers
                         if beside.get(answer.assignment_id)])  # fmt: skip


def is_disputed(fields: Iterable[FieldConsensus], *, unclear: int) -> bool:
    """Whether somebody should look at a task's answers: two labels were given, less than `ALIKE` of them agree in
    another field, or somebody found the task unclear."""
    return unclear > 0 or any(
        len(found.labels) > 1 if found.labels is not None else found.answers > 1 and found.posterior < ALIKE
        for found in fields
    )


def sure_labels(
    fields: Sequence[Field], consensus: Mapping[str, FieldConsensus], *, at_least: float, answers: int
) -> dict[str, str] | None:
    """What a task's single labels are beyond doubt, or None if one of them is not, or there are none.

    Nothing else can be: the confidence of other types is the share that agrees, which is no probability.
    """
    singles = [declared["name"] for declared in fields if is_single_label(declared)]
    asked = {name: consensus.get(name) for name in singles}
    sure = {
        name: found.value
        for name, found in asked.items()
        if found is not None and found.posterior >= at_least and found.answers >= answers
    }
    return sure if singles and len(sure) == len(singles) else None


def _whole(answer: Given, fields: Mapping[str, Beside]) -> Agreement:
    total = sum(part.weight for part in fields.values())
    return Agreement(
        answer,
        score=sum(part.weight * part.score for part in fields.values()) / total,
        weight=total / len(fields),
        easiness=sum(part.easiness for part in fields.values()) / len(fields),
        fields=fields,
    )


def _weight(declared: Field, consensus: FieldConsensus) -> float:
    if consensus.labels is not None:
        return AGREEMENT * agreement_weight(consensus.posterior, len(declared["labels"]))
    return AGREEMENT * consensus.posterior if consensus.answers >= SHARED_BY and consensus.posterior > 0.5 else 0.0


def _labels(
    declared: Field, filled: Sequence[Given], trust: Mapping[int, Trust]
) -> tuple[dict[int, FieldConsensus], dict[int, Beside]]:
    name = declared["name"]
    labels = [label["value"] for label in declared["labels"]]
    labels += sorted({answer.values[name] for answer in filled} - set(labels))
    votes, words = Votes.of(
        (answer.task_id for answer in filled),
        (answer.worker_id for answer in filled),
        (answer.values[name] for answer in filled),
        label_order=labels,
    )
    known = [trust.get(worker, Trust()) for worker in words.workers]
    accuracy = np.array(
        [[one.by_label.get((name, label), one.overall) for label in labels] for one in known], np.float64
    )
    found = running_consensus(votes, accuracy)
    given: dict[int, set[int]] = defaultdict(set)
    for task, label in zip(votes.task.tolist(), votes.label.tolist(), strict=True):
        given[task].add(label)
    by_task = {
        task_id: FieldConsensus(
            labels[found.labels[at]],
            float(found.posteriors[at, found.labels[at]]),
            int(found.n_votes[at]),
            {labels[label]: float(found.posteriors[at, label]) for label in sorted(given[at])},
        )
        for at, task_id in enumerate(words.tasks)
    }
    by_answer = {}
    for at, answer in enumerate(filled):
        truth = int(found.others_labels[at])
        weight = AGREEMENT * agreement_weight(float(found.others_posteriors[at, truth]), len(labels))
        if found.others_count[at] and weight > 0:
            by_answer[answer.assignment_id] = Beside(
                float(votes.label[at] == truth), weight, float(found.others_agree[at]), labels[truth],
                answer.values[name],
            )  # fmt: skip
    return by_task, by_answer


def _others(
    declared: Field, filled: Sequence[Given], trust: Mapping[int, Trust]
) -> tuple[dict[int, FieldConsensus], dict[int, Beside]]:
    """By the type's own aggregation: once over all answers of each task, and once for each answer over the others."""
    name, kind = declared["name"], answer_type(declared["type"])
    of_task: dict[int, list[Given]] = defaultdict(list)
    for answer in filled:
        of_task[answer.task_id].append(answer)
    groups: list[tuple[list[Given], Given | None]] = [(mates, None) for mates in of_task.values()]
    groups += [
        ([mate for mate in mates if mate is not answer], answer)
        for mates in of_task.values()
        if len(mates) > SHARED_BY
        for answer in mates
    ]
    by_task: dict[int, FieldConsensus] = {}
    by_answer: dict[int, Beside] = {}
    for result in kind.aggregate(declared, _table(name, groups), kind.methods[0]).results:
        mates, left_out = groups[result.task]
        if left_out is None:
            by_task[mates[0].task_id] = FieldConsensus(result.value, result.confidence, result.answers)
            continue
        agreeing = [kind.score(declared, result.value, mate.values[name]) >= kind.correct_at for mate in mates]
        if sum(agreeing) >= SHARED_BY and 2 * sum(agreeing) > len(mates):
            by_answer[left_out.assignment_id] = Beside(
                kind.score(declared, result.value, left_out.values[name]),
                AGREEMENT * result.confidence,
                sum(agreeing) / len(mates),
            )
    return by_task, by_answer


def _table(name: str, groups: Sequence[tuple[Sequence[Given], Any]]) -> AnswerTable:
    rows: Iterable[tuple[int, Given]] = ((at, mate) for at, (mates, _) in enumerate(groups) for mate in mates)
    task, worker, value = [], [], []
    for at, mate in rows:
        task.append(at)
        worker.append(mate.worker_id)
        value.append(mate.values[name])
    return AnswerTable(task, worker, value, len(groups))

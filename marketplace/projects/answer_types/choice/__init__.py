"""One or several labels out of a list."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from marketplace.aggregation.known import UNKNOWN
from marketplace.aggregation.relevance import each_label
from marketplace.aggregation.votes import Votes
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.credit import f1
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.labelling import METHODS, accuracies, in_order, labelled, method_used
from marketplace.projects.answer_types.labels import read_labels, values_in_words
from marketplace.projects.answer_types.parts import Class


class Choice:
    """Values are the `value` of a label, or with `multiple` a list of such in the order of the declaration."""

    name = "choice"
    methods: tuple[str, ...] = tuple(METHODS)
    correct_at = 1.0

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `labels` (2 to 500), `multiple`, and with it `min` (1 if absent), `max` (all if absent),
        `partial`, credit for the labels that are right."""
        read = Declaration(field, (*COMMON, "multiple", "labels", "min", "max", "partial"))
        checked = read.common() | {"multiple": read.flag("multiple", default=False)}
        checked["labels"] = read_labels(read, field, "labels", least=2)
        if checked["multiple"]:
            count = max(len(checked["labels"]), 1)
            checked["min"] = read.whole("min", 0, count, default=min(1, count))
            checked["max"] = read.whole("max", 1, count, default=count)
            if checked["min"] > checked["max"]:
                read.refuse("min", "must not exceed max")
            if read.has("partial"):
                checked["partial"] = read.flag("partial", default=False)
        else:
            for option in ("min", "max", "partial"):
                if read.has(option):
                    read.refuse(option, "is only for choices with multiple: true")
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        if not field["multiple"]:
            if not isinstance(value, str) or not any(label["value"] == value for label in field["labels"]):
                raise ValueRefused(f"must be the value of one of the labels: {values_in_words(field['labels'])}")
            return value
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ValueRefused("must be a list of label values")
        if len(value) > len(field["labels"]):
            raise ValueRefused("names more labels than there are")
        given = set(value)
        chosen = [label["value"] for label in field["labels"] if label["value"] in given]
        if len(chosen) < len(given):
            raise ValueRefused(f"names a label that does not exist; there are {values_in_words(field['labels'])}")
        if len(given) < len(value):
            raise ValueRefused("names a label twice")
        if not field["min"] <= len(chosen) <= field["max"]:
            raise ValueRefused(f"must name {_between(field['min'], field['max'])}")
        return chosen

    def score(self, field: Field, key: Any, value: Any) -> float:
        """1 for the same label, or the same set of labels; otherwise 0, or with `partial` the F1 of the two sets."""
        if not field["multiple"]:
            return float(key == value)
        if field.get("partial"):
            return f1(len(set(key) & set(value)), len(set(key)), len(set(value)))
        return float(set(key) == set(value))

    def json_schema(self, field: Field) -> dict[str, Any]:
        one = {"type": "string", "enum": [label["value"] for label in field["labels"]]}
        if not field["multiple"]:
            return one
        return {
            "type": "array",
            "items": one,
            "uniqueItems": True,
            "minItems": field["min"],
            "maxItems": field["max"],
        }

    def parts(self, field: Field, value: Any) -> Iterable[Class]:
        return [Class(tuple(value) if field["multiple"] else (value,))]

    def check_wanted(self, field: Field, wanted: Any) -> Any:
        """A condition on several labels names one of them, or all."""
        if not field["multiple"]:
            return self.clean(field, wanted)
        chosen = self.clean(
            {**field, "min": 0, "max": len(field["labels"])}, wanted if isinstance(wanted, list) else [wanted]
        )
        return chosen if isinstance(wanted, list) else wanted

    def meets(self, field: Field, wanted: Any, value: Any) -> bool:
        """Of several labels, one is met by each answer that names it, a list by the same labels."""
        return wanted in value if field["multiple"] and isinstance(wanted, str) else bool(wanted == value)

    def wanted_schema(self, field: Field, wanted: Any) -> dict[str, Any]:
        """The values that meet a condition."""
        if field["multiple"] and isinstance(wanted, str):
            return {"contains": {"const": wanted}}
        if field["multiple"]:
            return {"items": {"enum": wanted} if wanted else False, "minItems": len(wanted)}
        return {"const": wanted}

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """A single label by votes, ties to the label that is declared first; with `multiple`, each label by itself.

        With `multiple`, a label belongs to the result when it is more probable than not. Where that leaves fewer than
        `min` or more than `max`, the most probable ones are taken, in case of equals those declared first. The
        confidence is that of the least sure label.
        """
        used = method_used(method, self.methods)
        if field["multiple"]:
            return _aggregate_sets(field, answers, used)
        result, _, values = labelled(answers, [label["value"] for label in field["labels"]], used)
        results = [
            FieldResult(task, values[result.labels[task]], float(result.confidence[task]), int(result.n_votes[task]))
            for task in np.flatnonzero(result.n_votes).tolist()
        ]
        return FieldOutcome(used, results, result.iterations, result.converged)


def _between(low: int, high: int) -> str:
    return f"{low} labels" if low == high else f"{low} to {high} labels"


def _aggregate_sets(field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
    declared = [label["value"] for label in field["labels"]]
    every = (*answers.value, *answers.known.values())
    values = [*declared, *sorted({label for value in every for label in value} - set(declared))]
    place = {value: at for at, value in enumerate(values)}
    answers = in_order(answers)
    votes, words = Votes.of(answers.task, answers.worker, answers.task, task_order=range(answers.n_tasks))
    given = np.zeros((len(votes), len(values)), bool)
    for row, chosen in enumerate(answers.value):
        given[row, [place[label] for label in chosen]] = True
    accuracy = accuracies(answers, words.workers)
    gold = np.full((answers.n_tasks, len(values)), UNKNOWN, np.intp)
    for task, chosen in answers.known.items():
        gold[task] = [int(value in chosen) for value in values]

    found = each_label(
        votes.task, votes.worker, given, votes.n_tasks, votes.n_workers,
        lambda votes, label: METHODS[method](votes, accuracy, gold[:, label]),
    )  # fmt: skip
    results = [
        FieldResult(
            task, [values[at] for at in _chosen(found.posteriors[task], field)], float(found.confidence[task]),
            int(found.n_votes[task]),
        )
        for task in np.flatnonzero(found.n_votes).tolist()
    ]  # fmt: skip
    return FieldOutcome(method, results, found.iterations, found.converged)


def _chosen(share: np.ndarray[Any, np.dtype[np.float64]], field: Field) -> list[int]:
    likely = int(np.count_nonzero(share > 0.5))
    wanted = min(max(likely, field["min"]), field["max"])
    return sorted(np.argsort(-share, kind="stable")[:wanted].tolist())


ANSWER_TYPE = Choice()

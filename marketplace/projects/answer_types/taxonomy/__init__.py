"""A node of a tree of labels, said by the path to it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.credit import f1
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.labelling import METHODS, labelled, method_used
from marketplace.projects.answer_types.marking import in_order
from marketplace.projects.answer_types.parts import Class
from marketplace.projects.answer_types.taxonomy.tree import DEPTH_MAX, Path, children, paths, read_tree

# Schemas list the paths of trees up to this size.
LISTED_MAX = 500
# Dawid and Skene's model keeps a number for each worker and pair of labels; beyond so many the first method is used.
CONFUSIONS_MAX = 2**24
# Shares that are closer than rounding can tell are equal.
DIGITS = 9


class Taxonomy:
    """Values are paths of label values from the top of the tree to the node that is meant: `["animal", "dog"]`."""

    name = "taxonomy"
    methods: tuple[str, ...] = tuple(METHODS)
    correct_at = 1.0

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `tree`, a list of labels of which each may have `children` (up to 5,000 nodes, 20 levels);
        `leaf_only` (true): only nodes without children can be chosen; `partial` (true): credit for the way that is
        right."""
        read = Declaration(field, (*COMMON, "tree", "leaf_only", "partial"))
        checked = read.common() | {
            "tree": read_tree(read, field),
            "leaf_only": read.flag("leaf_only", default=True),
            "partial": read.flag("partial", default=True),
        }
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        below = _below(field, value)
        if below and field["leaf_only"]:
            raise ValueRefused("must go on to a node that has none below it")
        return list(value)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the nodes on the two paths, which is 1 for the same node and 0 where the first differs. Without
        `partial` 1 or 0. Source: Kiritchenko et al. (2005), "Functional annotation of genes using hierarchical text
        categorization", for one path each."""
        same = next((at for at, pair in enumerate(zip(key, value, strict=False)) if pair[0] != pair[1]), None)
        shared = min(len(key), len(value)) if same is None else same
        return f1(shared, len(key), len(value)) if field["partial"] else float(key == value)

    def json_schema(self, field: Field) -> dict[str, Any]:
        known = list(paths(field["tree"], leaf_only=field["leaf_only"]))
        schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": DEPTH_MAX}
        return schema | ({"enum": [list(path) for path in known]} if len(known) <= LISTED_MAX else {})

    def parts(self, field: Field, value: Any) -> Iterable[Class]:
        return [Class(tuple(value), path=True)]

    def check_wanted(self, field: Field, wanted: Any) -> Any:
        """A condition may name any node."""
        _below(field, wanted)
        return list(wanted)

    def meets(self, field: Field, wanted: Any, value: Any) -> bool:
        """A node is met by itself and by all below it."""
        return bool(value[: len(wanted)] == wanted)

    def wanted_schema(self, field: Field, wanted: Any) -> dict[str, Any]:
        """The paths that begin with the wanted one."""
        return {"prefixItems": [{"const": label} for label in wanted], "minItems": len(wanted)}

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """Down the tree, from the top on always to the child that has the most probability on and below it.

        Paths are voted on as labels are; what speaks for a node speaks for all above it. With `leaf_only` the way ends
        at a leaf; otherwise where no child is more probable than not. Of equals the node declared first. Confidence is
        the probability of the node and all below it. Paths that the tree no longer has come after those that it has.
        Where there are too many nodes and workers for `dawid_skene`, the first method is used, and the outcome says so.
        """
        used = method_used(method, self.methods)
        rows = in_order(answers)
        given = [tuple(answers.value[at]) for at in rows]
        known = {task: tuple(path) for task, path in answers.known.items()}
        seen = {*given, *known.values()}
        if not seen:
            # A question that need not be answered, and that nobody has: there is no path to vote on.
            return FieldOutcome(used, [])
        # Only paths that somebody chose or that are known: a model of the errors between all nodes would be large, and
        # mostly empty.
        declared = [path for path in paths(field["tree"], leaf_only=False) if path in seen]
        if used == "dawid_skene" and len(set(answers.worker)) * len(seen) ** 2 > CONFUSIONS_MAX:
            used = self.methods[0]
        task, worker = [answers.task[at] for at in rows], [answers.worker[at] for at in rows]
        table = AnswerTable(task, worker, given, answers.n_tasks, answers.accuracy, known)
        result, _, order = labelled(table, declared, used)
        results = []
        for of in np.flatnonzero(result.n_votes).tolist():
            path, share = _down(order, result.posteriors[of].tolist(), leaf_only=field["leaf_only"])
            results.append(FieldResult(of, list(path), share, int(result.n_votes[of])))
        return FieldOutcome(used, results, result.iterations, result.converged)


def _below(field: Field, value: Any) -> Sequence[Any]:
    """The nodes below a path. Raises `ValueRefused` where it is none of the tree."""
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise ValueRefused("must be a list of label values, from the top of the tree down")
    below = children(field["tree"], value) if 1 <= len(value) <= DEPTH_MAX else None
    if below is None:
        raise ValueRefused("must be a path of the tree, from its top down")
    return below


def _down(order: Sequence[Path], posterior: Sequence[float], *, leaf_only: bool) -> tuple[Path, float]:
    path: Path = ()
    share = 1.0
    while True:
        weights: dict[Path, float] = {}
        for other, weight in zip(order, posterior, strict=True):
            if len(other) > len(path) and other[: len(path)] == path:
                child = other[: len(path) + 1]
                weights[child] = weights.get(child, 0.0) + weight
        # The first of equals, for `order` is the order of the declaration.
        best = max(weights, key=lambda child: round(weights[child], DIGITS), default=None)
        if best is None or (path and not leaf_only and round(weights[best], DIGITS) <= 0.5):
            return path, min(1.0, share)
        path, share = best, weights[best]


ANSWER_TYPE = Taxonomy()

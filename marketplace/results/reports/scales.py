"""How answers to one field are compared: as labels, as points or numbers, or by their type's own comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import dumps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.agreement.krippendorff import Alpha, DistanceAlpha, Level, distance_alpha
from marketplace.aggregation.agreement.units import FloatArray, Units
from marketplace.projects.answer_types.base import AnswerType, Field
from marketplace.projects.answer_types.labels import is_single_label
from marketplace.projects.answer_types.parts import Class, Number, Part
from marketplace.projects.answer_types.registry import answer_type

BY_SCORE = "score"
# So many pairs of any two answers say what chance would bring, where their type's own comparison is asked.
CHANCE_PAIRS = 2_000
# And fewer where values are long: the products of their lengths may sum to so much, after the first few pairs.
CHANCE_WORK, CHANCE_MIN = 1_000_000_000, 50
SEED = 20_240_601


@dataclass
class Scale:
    """The distinct values of a field by number, and how any two of them compare.

    level   a level of Krippendorff's, or `score`: the distance is 1 - the type's score, the mean of both directions
    values  by number: for labels in the order of declaration, for numbers rising, otherwise by their JSON
    place   by number, what stands for the value in arithmetic: itself for points and numbers, its number otherwise
    """

    declared: Field
    level: str
    values: list[Any]
    place: FloatArray
    parts: list[list[Part]]
    sizes: list[int]
    _scores: dict[tuple[int, int], float] = field(default_factory=dict)

    @property
    def kind(self) -> AnswerType:
        return answer_type(self.declared["type"])

    def alpha(self, units: Units, chance_pairs: int = CHANCE_PAIRS) -> Alpha | DistanceAlpha:
        """Krippendorff's alpha of units whose values are places of this scale.

        By score, chance is all pairs of values where these are at most `chance_pairs`, else a sample of so many, drawn
        by a fixed seed; and fewer where values are long.
        """
        if self.level != BY_SCORE:
            return Alpha.of(units, Level(self.level))
        count = len(units.value)
        if count * (count - 1) // 2 <= chance_pairs:
            one, other = np.triu_indices(count, 1)
        else:
            drawn = np.random.default_rng(SEED).integers(0, count, (2, chance_pairs))
            one, other = drawn[:, drawn[0] != drawn[1]]
        code = self.codes(units)
        size = np.array(self.sizes, dtype=np.float64)[code]
        heavy = (np.cumsum(size[one] * size[other]) > CHANCE_WORK) & (np.arange(len(one)) >= CHANCE_MIN)
        one, other = one[~heavy], other[~heavy]
        return distance_alpha(units, 1 - self.scores(units), one, other, 1 - self._scored(code[one], code[other]))

    def scores(self, units: Units) -> FloatArray:
        """How alike each pair of `units.pairs` is by the type's own comparison: 0 … 1, the mean of both directions."""
        first, second = units.pairs
        code = self.codes(units)
        return self._scored(code[first], code[second])

    def apart(self, units: Units) -> FloatArray:
        """The distance of each pair of `units.pairs` that alpha is made of."""
        first, second = units.pairs
        if self.level == BY_SCORE:
            return 1 - self.scores(units)
        place = units.value
        if self.level == Level.NOMINAL:
            return np.asarray(place[first] != place[second], dtype=np.float64)
        if self.level == Level.ORDINAL:
            code, distinct = units.codes
            counts = np.bincount(code, minlength=len(distinct))
            place = (np.cumsum(counts) - counts / 2)[code]
        return np.asarray((place[first] - place[second]) ** 2)

    def codes(self, units: Units) -> NDArray[np.intp]:
        """The number of each value of the units."""
        return np.searchsorted(self.place, units.value)

    def _scored(self, one: NDArray[np.intp], other: NDArray[np.intp]) -> FloatArray:
        """Scores of pairs of values by number; each two distinct ones are compared once."""
        count = max(len(self.values), 1)
        low, high = np.minimum(one, other), np.maximum(one, other)
        cells, of_pair = np.unique(low * count + high, return_inverse=True)
        found = np.array([self._score(*divmod(cell, count)) for cell in cells.tolist()], dtype=np.float64)
        return found[of_pair] if len(found) else np.zeros(0)

    def _score(self, low: int, high: int) -> float:
        if (low, high) not in self._scores:
            compare = self.kind.score
            one, other = self.values[low], self.values[high]
            scores = compare(self.declared, one, other), compare(self.declared, other, one)
            self._scores[low, high] = min(max(sum(scores) / 2, 0.0), 1.0)
        return self._scores[low, high]


def scale_of(declared: Field, given: Sequence[Any]) -> tuple[Scale, FloatArray]:
    """The scale of a field for these values, and the place of each of them on it.

    Single labels are compared as names; values that say one number each as points where they have a scale of points,
    and as numbers where they have none; everything else by its type's score.
    """
    texts = [dumps(value, sort_keys=True, ensure_ascii=False) for value in given]
    distinct = dict(zip(texts, given, strict=True))
    kind = answer_type(declared["type"])
    said: Mapping[str, list[Part]] = {text: list(kind.parts(declared, value)) for text, value in distinct.items()}
    if is_single_label(declared):
        level = str(Level.NOMINAL)
        order = {label["value"]: at for at, label in enumerate(declared["labels"])}
        # What only an earlier version declared follows in sorted order.
        texts_in_order = sorted(distinct, key=lambda text: (order.get(distinct[text], len(order)), text))
    elif distinct and all(len(parts) == 1 and isinstance(parts[0], Number) for parts in said.values()):
        points = all(isinstance(part, Number) and part.scale is not None for parts in said.values() for part in parts)
        level = str(Level.ORDINAL if points else Level.INTERVAL)
        texts_in_order = sorted(distinct, key=lambda text: (_number(said[text]), text))
    else:
        level, texts_in_order = BY_SCORE, sorted(distinct)
    place = np.arange(len(texts_in_order), dtype=np.float64)
    if level in (Level.ORDINAL, Level.INTERVAL):
        place = np.array([_number(said[text]) for text in texts_in_order], dtype=np.float64)
    index = {text: at for at, text in enumerate(texts_in_order)}
    scale = Scale(
        declared,
        level,
        [distinct[text] for text in texts_in_order],
        place,
        [said[text] for text in texts_in_order],
        [len(text) for text in texts_in_order],
    )
    return scale, place[np.array([index[text] for text in texts], dtype=np.intp)]


def class_of(parts: Sequence[Part]) -> str | None:
    """The one class that a value says, a path by all its steps; None where it says more, or something else."""
    if len(parts) != 1 or not isinstance(parts[0], Class):
        return None
    labels = parts[0].labels
    return " / ".join(labels) if parts[0].path or len(labels) == 1 else None


def _number(parts: Sequence[Part]) -> float:
    part = parts[0]
    assert isinstance(part, Number)
    return float(part.number)

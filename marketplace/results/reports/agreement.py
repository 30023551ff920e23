"""How far the workers of a batch agree on one field: figures with intervals, by label, worker, version and time."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.agreement.classes import LabelTable, confusions
from marketplace.aggregation.agreement.intervals import interval
from marketplace.aggregation.agreement.kappas import fleiss_kappa, worker_pairs
from marketplace.aggregation.agreement.krippendorff import Alpha, DistanceAlpha, Level
from marketplace.aggregation.agreement.units import FloatArray, Units
from marketplace.aggregation.agreement.words import INSTRUCTIONS_BELOW, landis_koch, look_at_instructions
from marketplace.aggregation.agreement.workers import by_pair, by_worker
from marketplace.common.lots import lot
from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.labels import titles_of
from marketplace.results.reports.breakdown import by_period, by_version
from marketplace.results.reports.figures import (
    ClassAgreement,
    Confusion,
    FieldAgreement,
    Figure,
    PairAgreement,
    Said,
    WorkerAgreement,
)
from marketplace.results.reports.marks import Beside, beside, by_measure, summed
from marketplace.results.reports.means import by_unit, figure_of, known, mean_of
from marketplace.results.reports.scales import BY_SCORE, SEED, Scale, class_of, scale_of

ROUNDS, LABEL_ROUNDS = 400, 200
# Where answers are compared by their type or part by part, tasks are drawn until this much is to be compared: the
# products of the lengths of the answers, and so much more for each. It takes some seconds.
WORK, WORK_OF_EACH = 4_000_000_000, 500
UNITS_MIN = 20
CONFUSED_MAX, CLASSES_MAX, WORKERS_MAX, PAIRS_MAX = 20, 500, 1_000, 200


def field_agreement(
    declared: Field, answers: Sequence[Said], *, work: int = WORK, lots: str | None = None
) -> FieldAgreement:
    """How far workers agree on a field. The same answers give the same figures, whatever their order.

    Among workers who have as many tasks those are told of first, or at all, on whom the lot falls (`common.lots`), and
    so it is with the two sides of a pair. Without `lots` they stand by their ids: where no requester will see them.

    With one worker, or where all always say the same, alpha is None. Costly comparisons are made for a sample of tasks
    that is drawn by a fixed seed, which `compared` tells.
    """
    filled = sorted(
        (said for said in answers if declared["name"] in said.values), key=lambda said: (said.task_id, said.worker_id)
    )
    scale, place = scale_of(declared, [said.values[declared["name"]] for said in filled])
    every = Units.of([said.task_id for said in filled] or np.zeros(0, int),
                     [said.worker_id for said in filled] or np.zeros(0, int), place)  # fmt: skip
    units = every if scale.level != BY_SCORE else _affordable(every, scale, work)
    look = _Look(scale, units, lots)
    figures = look.figures()
    alpha = figures["krippendorff"].value
    found = float("nan") if alpha is None else alpha
    confused = look.confused()
    said_of = [filled[row] for row in units.row.tolist()]
    return FieldAgreement(
        field=declared["name"],
        type=declared["type"],
        level=scale.level,
        answers=len(filled),
        tasks=len(every),
        compared=len(units),
        figures=figures,
        words=landis_koch(found),
        advice=advice_on(found, confused, titles_of(declared)),
        classes=look.classes()[:CLASSES_MAX],
        confused=confused,
        workers=look.workers(),
        pairs=look.pairs(),
        versions=by_version(scale, units, said_of),
        periods=by_period(scale, units, said_of),
    )


def advice_on(alpha: float, confused: Sequence[Confusion], titles: Mapping[str, str]) -> str:
    """What low agreement asks for, with the labels that are confused most, by their titles; empty where it is high
    enough or unknown."""
    if not look_at_instructions(alpha):
        return ""
    words = (
        f"Agreement is {landis_koch(alpha)} ({alpha:.2f}), below {INSTRUCTIONS_BELOW}: look at the instructions first."
    )
    if confused:
        most = "; ".join(
            f"“{titles.get(found.one, found.one)}” and “{titles.get(found.other, found.other)}” ({found.pairs})"
            for found in confused[:3]
        )
        words += f" Most often confused, in so many pairs of answers: {most}."
    return words


class _Look:
    """What is computed once for all figures of a field."""

    def __init__(self, scale: Scale, units: Units, lots: str | None) -> None:
        self.scale, self.units, self.lots = scale, units, lots
        self.first, self.second = units.pairs
        self.unit = units.unit[self.first]
        self.single = scale.level == Level.NOMINAL
        self.scores = scale.scores(units)
        self.alike = self._alike()
        self.alpha: Alpha | DistanceAlpha = scale.alpha(units)
        # A rating or a number has no parts that could be compared further.
        self.beside = self._beside() if scale.level == BY_SCORE else []

    def _alike(self) -> FloatArray:
        if self.single:
            return np.asarray(self.units.value[self.first] == self.units.value[self.second], dtype=np.float64)
        return np.asarray(self.scores >= self.scale.kind.correct_at, dtype=np.float64)

    def _beside(self) -> list[Beside]:
        code, parts = self.scale.codes(self.units), self.scale.parts
        known: dict[tuple[int, int], Beside] = {}
        found = []
        for one, other in zip(code[self.first].tolist(), code[self.second].tolist(), strict=True):
            key = (min(one, other), max(one, other))
            if key not in known:
                known[key] = beside(parts[key[0]], parts[key[1]])
            found.append(known[key])
        return found

    def figures(self) -> dict[str, Figure]:
        """All figures of the field, with intervals from one bootstrap."""
        means = {"agreement": self.alike}
        if not self.single:
            means["score"] = self.scores
        means |= by_measure(self.beside)
        tables = {name: by_unit(self.units, self.unit, pairs) for name, pairs in means.items()}
        names = [*tables, "krippendorff", *(["fleiss"] if self.single else [])]

        def all_of(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            found = [mean_of(weights, sums, counts) for sums, counts in tables.values()]
            found.append(self.alpha.at(weights))
            if self.single:
                found.append(fleiss_kappa(self.units, weights))
            return np.array(found)

        value = all_of(np.ones(len(self.units)))
        low, high = interval(all_of, len(self.units), rounds=ROUNDS)
        figures = {name: figure_of(value[at], low[at], high[at]) for at, name in enumerate(names)}
        if self.single:
            # The mean over pairs of workers would have to be made anew for every draw: it has no interval.
            figures["cohen"] = figure_of(worker_pairs(self.units).mean_kappa())
        return figures

    def classes(self) -> tuple[ClassAgreement, ...]:
        """Agreement about each label, the most frequent first."""
        if self.single:
            return self._labels()
        both, either, _ = summed(self.beside)
        found = [
            ClassAgreement(label, times, figure_of(2 * both[label] / times), Figure(None))
            for label, times in either.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.given, one.label)))

    def _labels(self) -> tuple[ClassAgreement, ...]:
        table = LabelTable(self.units)
        plain = table.at()

        def both(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            found = table.at(weights)
            return np.array([found.alike, found.alpha])

        low, high = interval(both, len(self.units), rounds=LABEL_ROUNDS)
        codes = np.searchsorted(self.scale.place, plain.value).tolist()
        found = [
            ClassAgreement(
                str(self.scale.values[code]),
                int(plain.given[at]),
                figure_of(plain.alike[at], low[0][at], high[0][at]),
                figure_of(plain.alpha[at], low[1][at], high[1][at]),
            )
            for at, code in enumerate(codes)
        ]
        return tuple(sorted(found, key=lambda one: -one.given))

    def confused(self) -> tuple[Confusion, ...]:
        """The labels that are confused most, the most frequent first."""
        classes = [class_of(parts) for parts in self.scale.parts]
        if self.single or (classes and all(name is not None for name in classes)):
            told = confusions(self.units)
            code = [np.searchsorted(self.scale.place, side).tolist() for side in (told.one, told.other)]
            return tuple(
                Confusion(
                    classes[one] or "", classes[other] or "", int(told.pairs[at]), float(told.share[at]),
                    self._tasks_where(one, other),
                )
                for at, (one, other) in enumerate(list(zip(*code, strict=True))[:CONFUSED_MAX])
            )  # fmt: skip
        total = len(self.beside)
        _, _, confused = summed(self.beside)
        most = sorted(confused.items(), key=lambda item: (-item[1], item[0]))[:CONFUSED_MAX]
        return tuple(
            Confusion(one, other, times, times / total, self._tasks_of(
                [at for at, pair in enumerate(self.beside) if (one, other) in pair.confused]
            ))
            for (one, other), times in most
        )  # fmt: skip

    def _tasks_where(self, one: int, other: int) -> tuple[int, ...]:
        code = self.scale.codes(self.units)
        low = np.minimum(code[self.first], code[self.second]) == min(one, other)
        high = np.maximum(code[self.first], code[self.second]) == max(one, other)
        return self._tasks_of(np.flatnonzero(low & high).tolist())

    def _tasks_of(self, pairs: Sequence[int]) -> tuple[int, ...]:
        tasks = dict.fromkeys(int(self.units.task[self.unit[at]]) for at in pairs)
        return tuple(tasks)[:3]

    def workers(self) -> tuple[WorkerAgreement, ...]:
        """Each worker beside the others, those with most tasks first."""
        found = by_worker(self.units, self.alike, self.scale.apart(self.units))
        alphas = found.beyond_chance(self.alpha.distances()[1])
        told = [
            WorkerAgreement(
                int(found.worker[at]),
                int(found.tasks[at]),
                float(found.alike[at]),
                known(alphas[at]),
            )
            for at in range(len(found.worker))
        ]
        place = self._place()
        return tuple(sorted(told, key=lambda one: (-one.tasks, place(one.worker_id)))[:WORKERS_MAX])

    def _place(self) -> Any:
        """By what workers stand who are alike."""
        return int if self.lots is None else partial(lot, self.lots)

    def pairs(self) -> tuple[PairAgreement, ...]:
        """Every two workers, those who share most tasks first."""
        found = by_pair(self.units, self.alike, self.scale.apart(self.units))
        kappas = worker_pairs(self.units).kappa if self.single else np.full(len(found.worker), np.nan)
        known_by, place = np.unique(found.worker), self._place()
        rank = np.argsort(sorted(range(len(known_by)), key=lambda at: place(int(known_by[at]))))
        ranks = rank[np.searchsorted(known_by, found.worker)]
        # Which of the two stands first says no more than the order of the pairs does.
        sides = np.take_along_axis(found.worker, np.argsort(ranks, axis=1), axis=1)
        order = np.lexsort((ranks.max(axis=1), ranks.min(axis=1), -found.tasks))[:PAIRS_MAX]
        return tuple(
            PairAgreement(
                int(sides[at, 0]),
                int(sides[at, 1]),
                int(found.tasks[at]),
                float(found.alike[at]),
                known(kappas[at]),
            )
            for at in order.tolist()
        )


def _affordable(units: Units, scale: Scale, work: int) -> Units:
    """As many of the units as can be compared for so much work, at least a few, drawn by a fixed seed."""
    size = np.array(scale.sizes, dtype=np.float64)[scale.codes(units)] if len(units) else np.zeros(0)
    total = units.sum_by_unit(size)
    # The sum of the products of every two sizes, and a share for each pair of the unit and each size.
    cost = (total**2 - units.sum_by_unit(size**2)) / 2 + WORK_OF_EACH * total * units.size
    order = np.random.default_rng(SEED).permutation(len(units))
    taken = np.zeros(len(units), dtype=bool)
    taken[order[(np.cumsum(cost[order]) <= work) | (np.arange(len(units)) < UNITS_MIN)]] = True
    return units if taken.all() else units.select(taken[units.unit])

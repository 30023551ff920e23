"""What a crowd could find out about gold if everybody shared all that he was shown and said (R38).

After A. Checco, J. Bates and G. Demartini, "All That Glitters Is Gold" (HCOMP 2018), and further: beside repetition and
near-equal texts, the colluders use order, times, company and each other's answers, and one of them has practised on a
market of his own, where he knew the keys.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import pairwise
from statistics import mean, pstdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.trust.figures import binomial_tail, logistic, standardised
from tests.benchmarks.trust.positions import PROBATION, phase_of
from tests.crowd.story import Given, Show

NEAR_BITS = 3
# A list is called certain if all of it is gold, it is at least so long, and chance makes that less likely than this.
CERTAIN_LEAST, CERTAIN_CHANCE = 8, 1e-6
FLAGGED_SHARES = (0.02, 0.05, 0.10)
NEIGHBOURS = 3


@dataclass(frozen=True)
class Flagged:
    """A heuristic's best list in one phase, judged on tasks that it was not chosen by."""

    heuristic: str
    means: str
    phase: str
    flagged: int
    gold: int
    precision: float
    base: float
    p: float

    @property
    def excess(self) -> float:
        """How far precision lies above the base rate."""
        return self.precision - self.base


@dataclass
class Attack:
    """What full collusion finds. `certain` counts, by rule or list, what is certainly gold to the colluders; `best` has
    the best list of each means in each phase."""

    certain: dict[str, int] = field(default_factory=dict)
    best: dict[str, Flagged] = field(default_factory=dict)
    all: list[Flagged] = field(default_factory=list)

    @property
    def certain_identifications(self) -> int:
        return sum(self.certain.values())

    def shape(self) -> dict[str, Any]:
        """For reports."""
        return {
            "certain": self.certain,
            "best": {name: asdict(found) | {"excess": round(found.excess, 4)} for name, found in self.best.items()},
            "heuristics": {
                f"{found.phase}: {found.heuristic}": [found.flagged, round(found.precision, 4), round(found.base, 4)]
                for found in sorted(self.all, key=lambda found: -found.excess)
            },
        }


def simhash(text: str) -> int:
    """64 bits of which near-equal texts share almost all (Charikar)."""
    weights = [0] * 64
    words = text.lower().split()
    for shingle in words + [" ".join(pair) for pair in pairwise(words)]:
        digest = int.from_bytes(blake2b(shingle.encode(), digest_size=8).digest(), "big")
        for bit in range(64):
            weights[bit] += 1 if digest >> bit & 1 else -1
    return sum(1 << bit for bit in range(64) if weights[bit] > 0)


def clusters(texts: Mapping[str, str], bits: int = NEAR_BITS) -> dict[str, int]:
    """A number for each name; names with texts that differ in at most so many bits have the same one."""
    hashes = {name: simhash(text) for name, text in texts.items()}
    parent = {name: name for name in texts}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    # Two hashes that differ in at most 3 of 64 bits agree in one of four quarters.
    shelves: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for name, value in hashes.items():
        for quarter in range(bits + 1):
            shelves[quarter, value >> 16 * quarter & 0xFFFF].append(name)
    for shelf in shelves.values():
        for number, one in enumerate(shelf):
            for other in shelf[number + 1 :]:
                if (hashes[one] ^ hashes[other]).bit_count() <= bits:
                    parent[root(one)] = root(other)
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(root(name), len(numbers)) for name in texts}


def attack(
    shows: Sequence[Show], answers: Sequence[Given], *, overlap: int, probation: int = PROBATION, seed: int = 0
) -> Attack:
    """Everything that was shown and answered, pooled; and how much of the gold it gives away.

    `overlap` is what the colluders know of the batch: how many people an ordinary task is shown to.
    """
    done = Attack(certain=_by_rule(shows, overlap))
    pooled = _Pool(shows, answers)
    columns = pooled.columns()
    gold = np.array([show.gold for show in pooled.shows], bool)
    phases = np.array([phase_of(show.nth, probation) for show in pooled.shows])
    names = sorted({show.question for show in pooled.shows})
    chosen = dict(zip(names, np.random.default_rng(seed).random(len(names)) < 0.5, strict=True))
    practised_on = np.array([chosen[show.question] for show in pooled.shows])
    for phase in ("probation", "later"):
        here = phases == phase
        scores = {name: (_means_of(name), column) for name, column in columns.items()}
        scores["practised"] = ("practice", _practised(columns, gold, here & practised_on))
        for name, (means, column) in scores.items():
            found = _judged(name, means, phase, column, gold, here & practised_on, here & ~practised_on)
            if found is None:
                continue
            done.all.append(found)
            best = done.best.get(f"{means}, {phase}")
            if best is None or found.excess > best.excess:
                done.best[f"{means}, {phase}"] = found
            if found.gold == found.flagged >= CERTAIN_LEAST and found.p < CERTAIN_CHANCE:
                done.certain[f"{phase}: {name}"] = found.flagged
    return done


def _means_of(name: str) -> str:
    """What a heuristic goes by: repetition, as in the published attack; the answers of others; or order and time."""
    if name == "shown before":
        return "repetition"
    return "answers" if "label" in name or "answers" in name else "order and time"


def _by_rule(shows: Sequence[Show], overlap: int) -> dict[str, int]:
    """Tasks that are gold beyond doubt because what happened to them happens to no ordinary task.

    A rule that points at an ordinary task too is not certain, and counts nothing.
    """
    texts = {show.question: str(show.lease.data.get("text", show.question)) for show in shows}
    cluster = clusters(texts)
    people: defaultdict[int, set[int]] = defaultdict(set)
    sizes = Counter(cluster.values())
    times: Counter[tuple[int, int]] = Counter()
    golden: defaultdict[int, bool] = defaultdict(bool)
    for show in shows:
        people[cluster[show.question]].add(show.person)
        times[cluster[show.question], show.person] += 1
        golden[cluster[show.question]] |= show.gold
    rules = {
        "shown to more people than a task has places": {c for c, seen in people.items() if len(seen) > overlap},
        "shown twice to one person": {c for (c, _), n in times.items() if n > 1},
        "near-equal to another task": {c for c, n in sizes.items() if n > 1},
    }
    return {name: len(found) if found and all(golden[c] for c in found) else 0 for name, found in rules.items()}


class _Pool:
    """All shows in order of time, with what the colluders know about each.

    How often a task was shown in all is not among it: once the batch is over, whatever has places left was gold, and
    nobody is shown it any more.
    """

    def __init__(self, shows: Sequence[Show], answers: Sequence[Given]) -> None:
        self.shows = sorted(shows, key=lambda show: (show.at_s, show.person, show.nth))
        self.answers = sorted(answers, key=lambda given: given.at_s)

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """One number per show and idea; a higher or a lower one may mean gold, the practice decides which."""
        return {name: np.asarray(column, np.float64) for name, column in (self._times() | self._company()).items()}

    def _times(self) -> dict[str, list[float]]:
        of_task: defaultdict[str, list[Show]] = defaultdict(list)
        for show in self.shows:
            of_task[show.question].append(show)
        seen: defaultdict[str, list[Show]] = defaultdict(list)
        labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
        upto = 0
        made: dict[str, list[float]] = defaultdict(list)
        for show in self.shows:
            while upto < len(self.answers) and self.answers[upto].at_s < show.at_s:
                labels[self.answers[upto].question][self.answers[upto].label] += 1
                upto += 1
            before, whole = seen[show.question], of_task[show.question]
            said = labels[show.question]
            made["shown before"].append(len(before))
            made["since it was last shown"].append(show.at_s - before[-1].at_s if before else -1.0)
            made["since it was first shown"].append(show.at_s - before[0].at_s if before else -1.0)
            made["earlier viewers' mean position"].append(mean(s.nth for s in before) if before else -1.0)
            made["earlier viewers on probation"].append(sum(s.nth < PROBATION for s in before))
            made["answers before, if all agree"].append(said.total() if len(said) == 1 else -1.0)
            made["share of the first label so far"].append(max(said.values()) / said.total() if said else 0.5)
            made["in hindsight: time from first to last"].append(whole[-1].at_s - whole[0].at_s)
            made["in hindsight: mean position"].append(mean(s.nth for s in whole))
            made["in hindsight: spread of positions"].append(pstdev(s.nth for s in whole))
            made["in hindsight: shown on probation"].append(sum(s.nth < PROBATION for s in whole) / len(whole))
            seen[show.question].append(show)
        for show in self.shows:
            said = labels[show.question]
            made["in hindsight: share of the first label"].append(max(said.values()) / said.total() if said else 0.5)
        return made

    def _company(self) -> dict[str, list[float]]:
        """How the neighbours in each person's sequence keep together in those of others: what lies in a queue comes in
        the queue's order to everybody, and what is put in between does not."""
        sequences: defaultdict[int, list[str]] = defaultdict(list)
        for show in sorted(self.shows, key=lambda show: (show.person, show.nth)):
            sequences[show.person].append(show.question)
        place = {person: {name: n for n, name in enumerate(sequence)} for person, sequence in sequences.items()}
        viewers: defaultdict[str, set[int]] = defaultdict(set)
        for person, sequence in sequences.items():
            for name in sequence:
                viewers[name].add(person)
        made: dict[str, list[float]] = defaultdict(list)
        for show in self.shows:
            sequence, at = sequences[show.person], place[show.person][show.question]
            beside = [
                sequence[n] for n in range(max(0, at - NEIGHBOURS), min(len(sequence), at + NEIGHBOURS + 1)) if n != at
            ]
            together = shared = 0
            for other in viewers[show.question] - {show.person}:
                there = place[other]
                own = there[show.question]
                for name in beside:
                    if name in there:
                        shared += 1
                        together += abs(there[name] - own) <= 2 * NEIGHBOURS
            # The neighbours before and behind, in the sequences of others: close to each other, without this one?
            passed_by = 0
            if 0 < at < len(sequence) - 1:
                before, behind = sequence[at - 1], sequence[at + 1]
                for other in (viewers[before] & viewers[behind]) - {show.person}:
                    passed_by += 0 < place[other][behind] - place[other][before] <= 2
            made["in hindsight: neighbours shared with other viewers"].append(together)
            made["in hindsight: neighbours that others had elsewhere"].append(shared - together)
            made["in hindsight: neighbours that others had without it"].append(passed_by)
        return made


def _practised(
    columns: Mapping[str, NDArray[np.float64]], gold: NDArray[np.bool_], train: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The score of a regression over all ideas and their squares, fitted where the keys are known."""
    table = standardised(np.column_stack(list(columns.values())))
    table = standardised(np.hstack([table, table**2]))
    if len(np.unique(gold[train])) < 2:
        return np.zeros(len(gold))
    return table @ logistic(table[train], gold[train], penalty=5.0)[:-1]


def _judged(
    name: str,
    means: str,
    phase: str,
    scores: NDArray[np.float64],
    gold: NDArray[np.bool_],
    train: NDArray[np.bool_],
    test: NDArray[np.bool_],
) -> Flagged | None:
    """Choose direction and length of the list on one half of the tasks, and judge it on the other half."""
    if not gold[train].any() or not test.any():
        return None
    best: tuple[float, float, float] | None = None
    for sign in (1.0, -1.0):
        ordered = np.sort(sign * scores[train])[::-1]
        for share in FLAGGED_SHARES:
            bar = float(ordered[max(0, int(share * len(ordered)) - 1)])
            flagged = train & (sign * scores >= bar)
            # A bar that most are over flags nothing in particular.
            if flagged.sum() > 0.5 * train.sum():
                continue
            precision = float(gold[flagged].mean())
            if best is None or precision > best[0]:
                best = (precision, sign, bar)
    if best is None:
        return None
    _, sign, bar = best
    flagged = test & (sign * scores >= bar)
    n, hits, base = int(flagged.sum()), int(gold[flagged].sum()), float(gold[test].mean())
    if not n:
        return None
    return Flagged(name, means, phase, n, hits, hits / n, base, binomial_tail(hits, n, base))

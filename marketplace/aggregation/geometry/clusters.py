"""Which things of many answers are one thing."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Near:
    """Pairs of things that are alike at all: thing `first[i]` < `second[i]` are alike by `likeness[i]` (0 … 1).

    Pairs that are not named are not alike. Each pair is named once, by rising `first`, then `second`.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    likeness: NDArray[np.float64]

    @classmethod
    def nothing(cls) -> "Near":
        """No two things are alike."""
        return cls(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))

    def among(self, members: NDArray[np.intp]) -> NDArray[np.float64]:
        """How alike some things are to each other: (k, k), in their order, 1 on the diagonal."""
        low, high = np.minimum.outer(members, members), np.maximum.outer(members, members)
        size = max(int(members.max()), int(self.second.max(initial=0))) + 1
        codes, wanted = self.first * size + self.second, low * size + high
        if not len(codes):
            return np.eye(len(members))
        at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        return np.where(low == high, 1.0, np.where(codes[at] == wanted, self.likeness[at], 0.0))


def medoid(likeness: NDArray[np.float64]) -> int:
    """The thing that is most like all others, of equals the first: likeness is (k, k)."""
    return int(np.argmax([round(math.fsum(row), 9) for row in likeness.tolist()]))


def clusters(answer: NDArray[np.intp], near: Near, least: float) -> list[NDArray[np.intp]]:
    """The things in clusters, each thing in one, and in each cluster at most one thing of each answer.

    The thing that most answers have something like begins (of equals the one with the greatest likeness in all, then
    the first); from each other answer comes what is most like it, if by `least` at all (of equals the first). So on
    with what is left. The beginner is the first of its cluster. Give things in an order that does not depend on that of
    the answers, and neither does the result.

    answer  (n,)  of which answer each thing is
    """
    count = len(answer)
    fits = near.likeness >= least
    one = np.concatenate([near.first[fits], near.second[fits], np.arange(count)])
    other = np.concatenate([near.second[fits], near.first[fits], np.arange(count)])
    likeness = np.concatenate([near.likeness[fits], near.likeness[fits], np.ones(count)])
    order = np.lexsort((other, -likeness, one))
    one, other, likeness = one[order], other[order], likeness[order]
    bounds = np.searchsorted(one, np.arange(count + 1))
    answers = np.unique(np.stack([one, answer[other]]), axis=1)[0]
    support = np.bincount(answers, minlength=count)
    # Rounded, so that the order of addition decides nothing.
    closeness = [round(math.fsum(likeness[bounds[at] : bounds[at + 1]].tolist()), 9) for at in range(count)]
    free = np.ones(count, dtype=bool)
    found = []
    for seed in np.lexsort((np.arange(count), -np.array(closeness), -support)).tolist():
        if not free[seed]:
            continue
        # Itself first: another thing of its own answer may be just as like it.
        members, from_answers = [seed], {int(answer[seed])}
        for at in other[bounds[seed] : bounds[seed + 1]].tolist():
            if free[at] and int(answer[at]) not in from_answers:
                from_answers.add(int(answer[at]))
                members.append(at)
        free[members] = False
        found.append(np.array(members, dtype=np.intp))
    return found

"""One text out of several, word by word.

Source: J. G. Fiscus, "A post-processing system to yield reduced word error rates: Recognizer Output Voting Error
Reduction (ROVER)", doi:10.1109/ASRU.1997.659110.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import fsum

import numpy as np

from marketplace.aggregation.text.alignment import TooLong, aligned
from marketplace.aggregation.text.medoid import DIGITS, Answers, TextResult, Tokens, medoid, weighted_mean


@dataclass
class _Slot:
    """A place in the text: the weights of the answers for each token there, and the place in the backbone."""

    source: int | None
    votes: dict[Hashable | None, list[float]] = field(default_factory=dict)

    def add(self, token: Hashable | None, weight: float) -> None:
        self.votes.setdefault(token, []).append(weight)

    def winner(self, backbone: Hashable | None) -> tuple[Hashable | None, float]:
        """The token with the most weight, or None for no token, and its share; of equals the backbone's, then a token
        before none, then the first in sorted order."""
        weights = {token: round(fsum(given), DIGITS) for token, given in self.votes.items()}
        most = max(weights.values())
        best = [token for token, weight in weights.items() if weight == most]
        share = round(most / fsum(weights.values()), DIGITS)
        if backbone in best:
            return backbone, share
        named = [token for token in best if token is not None]
        return (min(named) if named else None), share  # type: ignore[type-var]


def rover(answers: Answers) -> TextResult:
    """Each task's answers laid beside each other token by token, and at each place the token with the most weight.

    The backbone is the task's weighted medoid; the others are aligned to what has grown so far, those equal to it
    first, then by falling weight, then sorted, so that neither the order of answers nor of workers matters. An answer
    that has nothing at a place votes for nothing there. Weights are those that `medoid` comes to, and so are
    iterations and whether they converged.

    Confidence is the mean share of weight behind the winner of each place; 1 where all answers are empty. Of equals the
    backbone's token wins, then a token before none, then the first in sorted order. A task whose answers are too long
    to align (`alignment.CELLS_MAX`) keeps its medoid with that confidence.
    """
    nearest = medoid(answers)
    tokens, confidence, sources = list(nearest.tokens), nearest.confidence.copy(), list(nearest.sources)
    for task, row in enumerate(answers.by_task()):
        origin = nearest.origin[task]
        if origin is None:
            continue
        weights = [float(nearest.weight[answers.worker[at]]) for at in row]
        try:
            slots = _network([answers.tokens[at] for at in row], weights, row.index(origin))
        except TooLong:
            continue
        backbone = answers.tokens[origin]
        won = [slot.winner(None if slot.source is None else backbone[slot.source]) for slot in slots]
        kept = [(slot.source, token) for slot, (token, _) in zip(slots, won, strict=True) if token is not None]
        tokens[task] = tuple(token for _, token in kept)
        sources[task] = [source for source, _ in kept]
        confidence[task] = weighted_mean([share for _, share in won], [1.0] * len(won)) if won else 1.0
    return TextResult(
        "rover", tokens, np.asarray(confidence), nearest.n_answers, nearest.weight, nearest.origin, sources,
        nearest.iterations, nearest.converged,
    )  # fmt: skip


def _network(texts: Sequence[Tokens], weights: Sequence[float], backbone: int) -> list[_Slot]:
    slots = [_Slot(at) for at in range(len(texts[backbone]))]
    for slot, token in zip(slots, texts[backbone], strict=True):
        slot.add(token, weights[backbone])
    seen = [weights[backbone]]
    others = [at for at in range(len(texts)) if at != backbone]
    for at in sorted(others, key=lambda at: (texts[at] != texts[backbone], -weights[at], texts[at])):
        slots = _with(slots, texts[at], weights[at], seen)
        seen.append(weights[at])
    return slots


def _with(slots: list[_Slot], tokens: Tokens, weight: float, seen: Sequence[float]) -> list[_Slot]:
    """The network with one more answer; where it has a token that no slot takes, `seen` had nothing."""
    choices = [frozenset(token for token in slot.votes if token is not None) for slot in slots]
    optional = np.array([None in slot.votes for slot in slots], bool)
    grown = []
    for token_at, slot_at in aligned(tokens, choices, optional):
        token = None if token_at is None else tokens[token_at]
        slot = _Slot(None, {None: list(seen)}) if slot_at is None else slots[slot_at]
        slot.add(token, weight)
        grown.append(slot)
    return grown

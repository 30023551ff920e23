"""Whether gold can be told from other tasks by what surrounds them in a response: sizes, order, ids, times (R37)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from tests.benchmarks.trust.figures import cross_validated, stratified_auc
from tests.benchmarks.trust.positions import PROBATION, phase_of
from tests.crowd.story import Show
from workers.api.shapes import lease_shape


@dataclass(frozen=True)
class Told:
    """How well gold is told apart within phases: `error` is the standard deviation where nothing is to be told."""

    auc: float | None
    error: float | None
    gold: int
    regular: int


def features_of(show: Show) -> list[float]:
    """Numbers of one task as shown, its content masked: nothing that comes from the market is left out."""
    lease = show.lease
    shape = {**lease_shape(lease), "data": None}
    beside = len(json.dumps(shape, default=str))
    until = lease.lease_until.timestamp() - show.at_s
    return [
        float(beside),
        float(len(lease.data)),
        float(lease.draft is not None),
        float(show.item),
        show.item / max(1, show.page_size - 1),
        float(show.page_size),
        until % 1.0,
        until % 60.0,
        float(lease.lease_until.microsecond % 1000),
        float(lease.price_micros),
        float(lease.version),
        *_bits(lease.id),
        *_bits(lease.token),
    ]


def _bits(of: UUID) -> list[float]:
    return [float(of.int >> place & 1) for place in range(128)]


def told_apart(shows: Sequence[Show], *, probation: int = PROBATION, seed: int = 0) -> Told:
    """The AUC of a regression that is judged on people it was not fitted to, over pairs within the same phase."""
    return _told(shows, np.array([features_of(show) for show in shows]), probation, seed, penalty=50.0)


def told_by_time(shows: Sequence[Show], *, probation: int = PROBATION, seed: int = 0) -> Told:
    """The same by how long the claim took, over pages of one task."""
    alone = [show for show in shows if show.page_size == 1]
    times = np.log(np.array([[max(show.claim_s, 1e-6)] for show in alone])) if alone else np.zeros((0, 1))
    return _told(alone, times, probation, seed, penalty=1.0)


def _told(shows: Sequence[Show], features: np.ndarray, probation: int, seed: int, *, penalty: float) -> Told:
    gold = np.array([show.gold for show in shows], bool)
    counts = int(gold.sum()), int((~gold).sum())
    if not all(counts):
        return Told(None, None, *counts)
    scores = cross_validated(features, gold, [show.person for show in shows], seed=seed, penalty=penalty)
    found = stratified_auc(scores, gold, [phase_of(show.nth, probation) for show in shows])
    return Told(*(found or (None, None)), *counts)

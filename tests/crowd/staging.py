"""What a crowd that acts on commands starts from: a requester, a project, a published batch, accounts for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from marketplace.batches.commands.create import Terms
from marketplace.batches.models import Batch
from tests import factories as make
from tests.crowd.acting import Clock, Crowd
from tests.crowd.people import Person
from tests.crowd.questions import LABELS, Question, interface


def known_terms(**terms: Any) -> dict[str, Any]:
    """Those of the terms that this version of the market has, so that a crowd can work in earlier ones too."""
    names = {term.name for term in fields(Terms)}
    return {name: term for name, term in terms.items() if name in names}


def published_batch(
    questions: Sequence[Question], *, overlap: int, labels: tuple[str, ...] = LABELS, **terms: Any
) -> Batch:
    """A batch of these questions in a project of its own, of a requester of its own, with its money held."""
    project = make.make_project(interface=interface(labels))
    draft = make.make_draft(project, overlap=overlap, **known_terms(**terms))
    make.add_rows(draft, (question.row() for question in questions))
    return make.published(draft)


def hired(
    people: Sequence[Person],
    questions: Sequence[Question],
    *,
    overlap: int,
    seed: int,
    clock: Clock,
    labels: tuple[str, ...] = LABELS,
    page_sizes: Sequence[int] = (1, 1, 5),
    sweeps: Any = None,
    begins_s: float = 0.0,
    arrive_within_s: float = 300.0,
    **terms: Any,
) -> Crowd:
    """A new account for each of the people, and a published batch before them."""
    batch = published_batch(questions, overlap=overlap, labels=labels, **terms)
    workers = [make.make_worker().pk for _ in people]
    return Crowd(
        people,
        workers,
        batch,
        questions,
        clock=clock,
        seed=seed,
        labels=labels,
        page_sizes=page_sizes,
        sweeps=sweeps,
        begins_s=begins_s,
        arrive_within_s=arrive_within_s,
    )

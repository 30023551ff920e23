"""Outcomes that many record and take back at once, of the same workers, add up as if one had done it all."""

from collections.abc import Callable
from random import Random
from typing import Any

from tests import factories as make
from tests.reputation.test_outcomes import broken, judgement, known, record, undo
from workers.reputation.facets import GLOBAL, class_facet, project_facet


def test_what_many_record_and_undo_at_once_is_what_their_outcomes_give(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    first = make.make_draft()
    batches = [first, make.make_draft(make.make_project(requester=first.project.requester)), make.make_draft()]
    workers = [make.make_worker().pk for _ in range(3)]

    def busy(seed: int) -> Callable[[], None]:
        def go() -> None:
            chance = Random(seed)
            for _round in range(12):
                record(
                    *[
                        judgement(
                            chance.choice(workers), chance.choice(batches), chance.random(), weight=chance.random(),
                            truth="a", given=chance.choice("ab"), assignment_id=chance.randrange(1, 60),
                        )
                        for _ in range(4)
                    ]
                )  # fmt: skip
                undo(*[row[0] for row in make.outcomes("id") if chance.random() < 0.1])

        return go

    assert together([busy(seed) for seed in range(6)]) == [None] * 6
    for worker in workers:
        for batch in batches:
            known(worker, project_facet(batch.project_id))
            known(worker, class_facet(batch.project_id, "label", "a"))
        known(worker, GLOBAL)
    assert len(make.outcomes("id", "kind = 'undo'")) > 5
    assert broken() == []

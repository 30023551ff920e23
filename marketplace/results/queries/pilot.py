"""What a pilot showed, and what that says of the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.batches.models import Batch
from marketplace.batches.queries import BatchProgress, Estimate, estimate, progress
from marketplace.batches.states import BatchState
from marketplace.common.database import one
from marketplace.common.lots import lots_of
from marketplace.projects.answer_types.labels import is_single_label, title_of
from marketplace.results.errors import NothingToReport
from marketplace.results.models import Run
from marketplace.results.queries.agreement import Compared, compared_answers
from marketplace.results.queries.quality import quality_of
from marketplace.results.reports.agreement import WORK, field_agreement
from marketplace.results.reports.figures import FieldAgreement
from marketplace.results.reports.pilot import Concern, concerns_of
from marketplace.results.reports.quality import FieldQuality
from marketplace.results.reports.watching import Matrix, matrix
from workers.assignments.hourly import Pay, pay_of
from workers.gold.queries import Verdicts


@dataclass(frozen=True)
class Forecast:
    """What the rest takes if it goes like the pilot.

    cost       what it costs at most, under the draft's terms
    work_s     of people's time in all; None where nothing was measured
    finish_s   from its beginning to its last answer, at the pilot's pace; None where that is not known
    """

    rest: UUID
    cost: Estimate
    work_s: float | None
    finish_s: float | None


@dataclass(frozen=True)
class PilotReport:
    """What came in so far, and what it says.

    answers    those that are there, rejected ones included; `unclear` of them are marked so
    matrices   labels against each other, of each field with one label an answer
    run        the aggregation that `quality` is about; None where there is none yet
    forecasts  for each draft that waits for the pilot
    """

    progress: BatchProgress
    answers: int
    unclear: int
    compared: Compared
    agreement: list[FieldAgreement]
    matrices: dict[str, Matrix]
    gold: Verdicts
    pay: Pay | None
    run: Run | None
    quality: list[FieldQuality]
    forecasts: list[Forecast]
    concerns: list[Concern]

    @property
    def done(self) -> float:
        """The share of places that have an answer."""
        return min(1.0, self.answers / self.progress.places) if self.progress.places else 0.0

    @property
    def unclear_share(self) -> float | None:
        return self.unclear / self.answers if self.answers else None


def pilot_report(batch: Batch, *, keys: Mapping[int, dict[str, Any]], gold: Verdicts) -> PilotReport:
    """The report of a pilot as it stands now, with its keys by task and how they were met, which others read.

    A batch of another kind has one too, which says the same of its own items. Raises `NothingToReport` for a draft.
    """
    if batch.published_at is None:
        raise NothingToReport("There is something to report once a batch is published.")
    answers, workers, unclear, took_s = _counted(batch.pk)
    compared = compared_answers(batch.pk)
    declared = batch.version.interface["answer"]
    work, lots = WORK // len(declared), lots_of(batch.public_id)
    agreement = [field_agreement(field, compared.said, work=work, lots=lots) for field in declared]
    run = Run.objects.filter(batch=batch).select_related("batch__version").order_by("-pk").first()
    quality = quality_of(run, keys) if run is not None else []
    pay = pay_of([batch.pk]).get(batch.pk)
    rests = batch.rests.filter(state=BatchState.DRAFT).select_related("requester", "version").order_by("pk")
    forecasts = [_forecast(rest, pay, answers / took_s if took_s else None) for rest in rests]
    return PilotReport(
        progress=progress(batch),
        answers=answers,
        unclear=unclear,
        compared=compared,
        agreement=agreement,
        matrices={field["name"]: matrix(field, compared.said) for field in declared if is_single_label(field)},
        gold=gold,
        pay=pay,
        run=run,
        quality=quality,
        forecasts=forecasts,
        concerns=concerns_of(
            answers=answers,
            workers=workers,
            unclear=unclear,
            agreement=[(title_of(field), found) for field, found in zip(declared, agreement, strict=True)],
            keys=len(keys),
            judged=gold.judged,
            passed=gold.bounds,
            hourly_micros=pay.median_micros if pay else None,
            target_micros=batch.target_hourly_micros,
        ),
    )


def _counted(batch_id: int) -> tuple[int, int, int, float]:
    """Answers, who gave them, unclear ones among them, and the seconds from the first lease to the last answer."""
    found = one(
        "SELECT count(*), count(DISTINCT a.worker_id), count(*) FILTER (WHERE w.unclear),"
        " coalesce(extract(epoch FROM max(a.submitted_at) - min(a.leased_at)), 0)::float8"
        " FROM assignments_assignment a"
        " JOIN LATERAL (SELECT unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON true"
        " WHERE a.batch_id = %s AND a.state IN ('submitted', 'accepted', 'rejected', 'upheld')",
        [batch_id],
    )
    assert found is not None
    return found


def _forecast(rest: Batch, pay: Pay | None, answers_per_s: float | None) -> Forecast:
    cost = estimate(rest)
    return Forecast(
        rest=rest.public_id,
        cost=cost,
        work_s=cost.places * pay.median_s if pay else None,
        finish_s=cost.places / answers_per_s if answers_per_s else None,
    )

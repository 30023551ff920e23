"""Reads of reputation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from marketplace.common.database import acting_as, one, rows
from workers.reputation.facets import GLOBAL, NOTHING, STRANGER, Judgement, counted, type_facet
from workers.reputation.models import Change, Firing, PlatformRules, Standing
from workers.reputation.scoring import PRIOR, Posterior, Tally, aged, combined
from workers.reputation.skills import Known as Known
from workers.reputation.skills import ShownStanding, skill_of

TODAY = "floor(extract(epoch FROM market_now()) / 86400)::integer"
# What labels are counted by, as `label_field` says it: the first field with one label out of several. Its type, or that
# of the first field if there is none, is the type of its answers.
FIELD = """jsonb_path_query_first(v.interface, '$.answer[*] ? (@.type == "choice" && @.multiple != true)')"""

UNDO_COLUMNS = (
    "undoes", "undone_kind", "undone_day", "worker_id", "project_id", "batch_id", "requester_id", "score", "weight",
    "assignment_id", "task_id", "field", "truth", "given", "answer_type", "easiness", "round",
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What a worker sees of himself, in a project or (without one) beyond, with its 95 % interval."""

    facet: str
    project: str | None
    score: float
    low: float
    high: float
    evidence: int


@dataclass(frozen=True)
class Terms:
    """What outcomes of a batch have in common."""

    requester_id: int
    field: str
    answer_type: str


@dataclass(frozen=True)
class Recorded:
    """An outcome as it stands in its table. For an undo, `effect` is the kind of what it takes back, and `undone_day`
    its day; otherwise `effect` is its own kind."""

    worker_id: int
    project_id: int
    batch_id: int
    requester_id: int
    kind: str
    score: float | None
    weight: float
    assignment_id: int | None
    task_id: int | None
    field: str
    truth: str | None
    given: str | None
    answer_type: str
    took_ms: int | None
    digest: int | None
    easiness: float | None
    round: int
    made_at: str | None = None
    undoes: int | None = None
    reason: str = ""
    undone_kind: str | None = None
    undone_day: int | None = None

    @property
    def effect(self) -> str:
        return self.undone_kind or self.kind

    def judgement(self, weight: float, day: int) -> Judgement:
        """It as it counts, with the weight and on the day that it was stored with."""
        assert self.score is not None
        return Judgement(
            self.project_id, self.score, weight, self.easiness, self.field, self.truth, self.given, self.answer_type,
            day, self.undone_day,
        )  # fmt: skip


# --- what is known


def posterior_of(*, worker_id: int, project_id: int) -> Known:
    """The worker's posterior in the project as of today; the prior when nothing is known yet."""
    return posteriors_of(worker_ids=[worker_id], project_id=project_id)[worker_id]


def posteriors_of(*, worker_ids: Collection[int], project_id: int) -> dict[int, Known]:
    """The posterior of each of the workers in the project as of today, as `posterior_of` gives it, by one statement."""
    found = rows(
        f"SELECT worker_id, alpha, beta, evidence, day, {TODAY} FROM reputation_standing"
        " WHERE worker_id = ANY(%s) AND project_id = %s",
        [sorted(set(worker_ids)), project_id],
    )
    return dict.fromkeys(worker_ids, Known(PRIOR, 0)) | {
        worker: _known([Tally(alpha, beta, evidence, day, STRANGER.floor)], today)
        for worker, alpha, beta, evidence, day, today in found
    }


def facet_of(*, worker_id: int, facet: str) -> Known:
    """What is known of the worker in a facet as of today: never shown to him. The prior when nothing is known yet."""
    project = _project_of(facet)
    if project is not None:
        return posterior_of(worker_id=worker_id, project_id=project)
    found = rows(
        f"SELECT alpha, beta, evidence, day, {TODAY} FROM reputation_facet WHERE worker_id = %s AND facet = %s",
        [worker_id, facet],
    )
    return (
        _known([Tally(row[0], row[1], row[2], row[3], NOTHING.floor) for row in found], found[0][4])
        if found
        else Known(PRIOR, 0)
    )


def rebuilt(*, worker_id: int, facet: str) -> Known:
    """The posterior recomputed from the recorded outcomes, in the order of their ids: the judge of the incremental one,
    with which it agrees to the bit. Reads as the gold reader, in a transaction."""
    condition, params = _about(facet)
    with acting_as("gold_reader"):
        found = rows(
            "SELECT o.requester_id, o.project_id, o.score, o.weight, o.easiness, o.field, o.truth, o.given,"
            " o.answer_type,"
            " floor(extract(epoch FROM o.made_at) / 86400)::integer,"
            " floor(extract(epoch FROM u.made_at) / 86400)::integer"
            " FROM reputation_outcome o LEFT JOIN reputation_outcome u ON u.id = o.undoes_id"
            f" WHERE o.worker_id = %s AND o.kind IN ('gold', 'agreement', 'review', 'undo') AND {condition}"
            " ORDER BY o.id",
            [worker_id, *params],
        )
    tallies: dict[int, Tally] = {}
    start = NOTHING if _project_of(facet) is None else STRANGER
    for requester, *judgement in found:
        tallies[requester] = counted(tallies.get(requester, start), Judgement(*judgement), facet)
    [(today,)] = rows(f"SELECT {TODAY}")
    return _known(list(tallies.values()), today)


def _known(tallies: Sequence[Tally], today: int) -> Known:
    now = [aged(tally, today) for tally in tallies]
    evidence = sum(tally.evidence for tally in now)
    if any(tally.floor != NOTHING.floor for tally in now):
        [tally] = now
        return Known(Posterior(tally.alpha, tally.beta), evidence)
    return Known(combined((tally.alpha, tally.beta) for tally in now), evidence)


def _project_of(facet: str) -> int | None:
    return int(facet.removeprefix("project:")) if facet.startswith("project:") else None


def _about(facet: str) -> tuple[str, list[Any]]:
    """Which outcomes count in a facet, as a condition and its values."""
    kind, _, rest = facet.partition(":")
    match kind:
        case "global":
            return "true", []
        case "project":
            return "o.project_id = %s", [int(rest)]
        case "type":
            return "o.answer_type = %s", [rest]
        case "class":
            project, field, label = rest.split(":", 2)
            return "o.project_id = %s AND o.field = %s AND o.truth = %s", [int(project), field, label]
    raise ValueError(f"no such facet: {facet}")


# --- what the worker sees


def shown_standing(*, worker_id: int, project_id: int) -> Known:
    """The worker's posterior in the project as he sees it: what his own requests may depend on."""
    row = one(
        "SELECT shown_alpha, shown_beta, shown_evidence FROM reputation_standing"
        " WHERE worker_id = %s AND project_id = %s",
        [worker_id, project_id],
    )
    return Known(Posterior(row[0], row[1]), row[2]) if row else Known(PRIOR, 0)


def shown_standings(worker_ids: Collection[int]) -> list[ShownStanding]:
    """The standings of these workers as they see them, by worker and project."""
    return [
        ShownStanding(worker, project, requester, name, Posterior(alpha, beta), evidence, answer_type)
        for worker, project, requester, name, alpha, beta, evidence, answer_type in rows(
            "SELECT s.worker_id, s.project_id, p.requester_id, p.name, s.shown_alpha, s.shown_beta, s.shown_evidence,"
            " s.shown_type FROM reputation_standing s JOIN projects_project p ON p.id = s.project_id"
            " WHERE s.worker_id = ANY(%s) ORDER BY s.worker_id, s.project_id",
            [sorted(worker_ids)],
        )
    ]


def shown_to(worker_id: int) -> list[Shown]:
    """The worker's own standings, as of his last multiple of 20 answers in each project."""
    return [
        _shown("project", standing.project, Known(standing.posterior, standing.evidence))
        for standing in shown_standings([worker_id])
    ]


def changes_of(worker_id: int) -> QuerySet[Change]:
    """Every move of what the worker is shown, with its project."""
    return Change.objects.filter(worker_id=worker_id).select_related("project")


def skills_of(worker_id: int) -> list[Shown]:
    """What follows from the worker's shown standings beyond each project: by type of answer, then over all."""
    standings = shown_standings([worker_id])
    types = sorted({standing.answer_type for standing in standings if standing.answer_type})
    by_type = [
        _shown(type_facet(name), None, skill_of(s for s in standings if s.answer_type == name)) for name in types
    ]
    return [*by_type, _shown(GLOBAL, None, skill_of(standings))] if standings else []


def _shown(facet: str, project: str | None, known: Known) -> Shown:
    low, high = known.posterior.interval()
    return Shown(facet, project, known.posterior.mean, low, high, known.evidence)


# --- outcomes


def terms_of(places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Terms]:
    """Requester, single-choice field and answer type by (batch, project)."""
    return {
        (batch, project): Terms(requester, field or "", answer_type or "")
        for batch, project, requester, field, answer_type in rows(
            f"SELECT g.b, p.id, p.requester_id, {FIELD}->>'name', coalesce({FIELD}, v.interface->'answer'->0)->>'type'"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS g(b, p) JOIN projects_project p ON p.id = g.p"
            " LEFT JOIN batches_batch b ON b.id = g.b LEFT JOIN projects_version v ON v.id = b.version_id",
            [[place[0] for place in places], [place[1] for place in places]],
        )
    }


def undos_of(outcome_ids: Sequence[int], reason: str) -> list[Recorded]:
    """Those of the judgements that nothing has taken back yet, as the undo rows that would; by id. Reads as the gold
    reader."""
    with acting_as("gold_reader"):
        return [
            Recorded(**dict(zip(UNDO_COLUMNS, row, strict=True)), kind="undo", took_ms=None, digest=None, reason=reason)
            for row in rows(
                "SELECT o.id, o.kind, floor(extract(epoch FROM o.made_at) / 86400)::integer, o.worker_id, o.project_id,"
                " o.batch_id, o.requester_id, o.score, o.weight, o.assignment_id, o.task_id, o.field, o.truth, o.given,"
                " o.answer_type, o.easiness, o.round FROM reputation_outcome o"
                " WHERE o.id = ANY(%s) AND o.kind IN ('gold', 'agreement', 'review')"
                " AND NOT EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = o.id) ORDER BY o.id",
                [list(outcome_ids)],
            )
        ]


def last_answers(pages: Collection[tuple[int, int, datetime]]) -> dict[tuple[int, int, datetime], datetime]:
    """By (worker, batch, moment): when the worker last submitted in the batch before that moment, as far as that is
    recorded. The caller acts as the gold reader."""
    asked = sorted(pages)
    return {
        (worker, batch, moment): last
        for worker, batch, moment, last in rows(
            "SELECT g.w, g.b, g.at, o.made_at FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS g(w, b, at)"
            " JOIN LATERAL (SELECT made_at FROM reputation_outcome o WHERE o.worker_id = g.w AND o.batch_id = g.b"
            " AND o.kind = 'answer' AND o.made_at < g.at ORDER BY o.id DESC LIMIT 1) o ON true",
            [[page[0] for page in asked], [page[1] for page in asked], [page[2] for page in asked]],
        )
    }


# --- what rules did


def firings_in(batch_id: int) -> QuerySet[Firing]:
    """What fired in a batch, with what was wanted and what came of it: for its requester."""
    found = Firing.objects.filter(batch_id=batch_id).select_related("withdrawal")
    return found.prefetch_related("wanted")


def firings_of(worker_id: int) -> QuerySet[Firing]:
    """What of it a worker sees: never the evidence, and what rests on check questions or on agreement not before his
    next multiple of 20 answers in the project, unless a sanction has told him already."""
    standing = Standing.objects.filter(worker_id=OuterRef("worker_id"), project_id=OuterRef("project_id"))
    return (
        Firing.objects.filter(worker_id=worker_id)
        .filter(Q(show_from=0) | Q(show_from__lte=Subquery(standing.values("answers")[:1])))
        .select_related("withdrawal", "batch", "project")
        .prefetch_related("wanted")
        .defer("evidence", "rule")
    )


def firings_everywhere() -> QuerySet[Firing]:
    """Every rule that held of anybody, with its evidence and what came of it: for staff."""
    found = Firing.objects.select_related("withdrawal", "worker", "batch__requester", "project")
    return found.prefetch_related("wanted")


def platform_rules_history() -> QuerySet[PlatformRules]:
    """The platform's rules, the newest of which are in force; for staff."""
    return PlatformRules.objects.select_related("made_by")

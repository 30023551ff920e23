"""Reads of what rules did."""

from django.db.models import OuterRef, Q, QuerySet, Subquery

from workers.reputation.models import Firing, PlatformRules, Standing


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


def platform_rules_history() -> QuerySet[PlatformRules]:
    """The platform's rules, the newest of which are in force; for staff."""
    return PlatformRules.objects.select_related("made_by")

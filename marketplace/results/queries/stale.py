"""What answers under an earlier version say that the latest one has no more, or means otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.common.database import rows
from marketplace.projects.changes import Affected, affected
from marketplace.projects.models import Project, Version

# Of each version so many of the newest answers are looked at, and so many of its changes.
LOOKED_AT, CHANGES_MAX = 20_000, 50
VERSIONS_MAX = 10

_COUNTS = """
WITH said AS MATERIALIZED (
    SELECT w.values FROM (
        SELECT a.id FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id AND b.version_id = %s
         WHERE a.state IN ('submitted', 'accepted', 'upheld') ORDER BY a.id DESC LIMIT %s) a
    JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id
                   ORDER BY revision DESC LIMIT 1) w ON NOT w.unclear)
SELECT p.place, count(s.values)
  FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS p (field, label, place)
  LEFT JOIN said s ON s.values ? p.field AND (
       p.label IS NULL OR s.values->>p.field = p.label OR s.values->p.field @> to_jsonb(p.label)
       OR s.values->p.field @> jsonb_build_array(jsonb_build_object('label', p.label))
       OR s.values->p.field->'spans' @> jsonb_build_array(jsonb_build_object('label', p.label)))
 GROUP BY p.place ORDER BY p.place
"""


@dataclass(frozen=True)
class Against:
    """How many answers say what is gone, or called or asked otherwise since."""

    change: Affected
    answers: int


def stale_against(earlier: Version, latest: Version) -> list[Against]:
    """The changes between two versions that answers under the earlier one say something of, and how many do; of up to
    `LOOKED_AT` of its newest answers. What is rejected says nothing. Changes that no answer says are left out."""
    changes = affected(earlier.interface, latest.interface)[:CHANGES_MAX]
    return [Against(one, count) for one, count in zip(changes, _counted(earlier.pk, changes), strict=True) if count]


def _counted(version_id: int, changes: Sequence[Affected]) -> list[int]:
    if not changes:
        return []
    found = rows(_COUNTS, [version_id, LOOKED_AT, [one.field for one in changes], [one.label for one in changes]])
    return [count for _place, count in found]


def stale_versions(project: Project, numbers: Sequence[int]) -> dict[int, list[Against]]:
    """The same of some versions of a project by their numbers, against its latest published one; of up to
    `VERSIONS_MAX`, the newest of them."""
    latest = project.versions.exclude(published_at=None).order_by("-number").first() if numbers else None
    if latest is None:
        return {}
    some = project.versions.filter(number__in=sorted(numbers)[-VERSIONS_MAX:])
    return {one.number: stale_against(one, latest) for one in some}

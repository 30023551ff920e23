"""Reads of data sets: what goes into one, page by page, and what is in one, piece by piece."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from marketplace.accounts.models import Role
from marketplace.accounts.roles import includes
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for
from marketplace.common.database import MarketNow, one, rows, value
from marketplace.common.errors import NotFound
from marketplace.projects.models import Project
from marketplace.results.models import Dataset, DatasetLink
from marketplace.results.states import PartKind

# A page of items is bounded by their number and by the size of their data, so that memory is.
PAGE_ITEMS = 2_000
PAGE_BYTES = 8 * 1024 * 1024


def datasets_of(batch: Batch) -> QuerySet[Dataset]:
    """The versions of the batch's data set."""
    return Dataset.objects.filter(batch=batch).select_related("run", "batch")


def dataset_for(user_id: int, batch_id: UUID, number: int, *, at_least: str = "viewer") -> Dataset:
    """One version of the user's batch; raises like `batch_for`."""
    found = datasets_of(batch_for(user_id, batch_id, at_least=at_least)).filter(number=number).first()
    if found is None:
        raise NotFound("There is no such version of the data set.")
    return found


def datasets_in(project: Project) -> QuerySet[Dataset]:
    """The data sets of all batches of a project."""
    return Dataset.objects.filter(batch__project=project).select_related("run", "batch")


def links_of(it: Dataset) -> QuerySet[DatasetLink]:
    """All links to a version that were ever made."""
    return DatasetLink.objects.filter(of=it)


def link_by(token: str) -> DatasetLink:
    """The link with this secret, and what it leads to; raises `NotFound` for one that has ended as for none.

    It opens no more than whoever made it may: where he is let go, or is no manager any more, it leads nowhere.
    """
    link = (
        DatasetLink.objects.filter(
            digest=link_digest(token),
            ended_at=None,
            expires_at__gt=MarketNow(),
            made_by__is_active=True,
            of__batch__requester__members__user=F("made_by"),
            of__batch__requester__members__role__in=[role for role in Role.values if includes(role, Role.MANAGER)],
        )
        .select_related("of__batch")
        .first()
    )
    if link is None:
        raise NotFound("There is no such link, or it has ended.")
    return link


def link_digest(token: str) -> bytes:
    """What is kept of a link's secret, which is long enough to need no salt."""
    return sha256(token.encode("utf-8", "replace")).digest()


def item_page(run_id: int, *, after: int) -> list[tuple[int, str, Any, dict[str, Any], int]]:
    """The next items behind a task: (task, external id, data, {field: [value, confidence, answers, method]}, version).

    As many as `PAGE_ITEMS` and `PAGE_BYTES` allow, one at least; by task.
    """
    return [
        (task, external_id, data, results, version)
        for task, external_id, data, results, version in rows(
            """
            WITH wanted AS (
                SELECT task_id FROM results_result WHERE run_id = %s AND task_id > %s
                 GROUP BY task_id ORDER BY task_id LIMIT %s),
            sized AS (
                SELECT p.task_id, p.data, sum(pg_column_size(p.data)) OVER (ORDER BY p.task_id) AS so_far,
                       row_number() OVER (ORDER BY p.task_id) AS place
                  FROM wanted w JOIN batches_payload p ON p.task_id = w.task_id)
            SELECT s.task_id, t.external_id, s.data, r.results, r.version
              FROM sized s JOIN batches_task t ON t.id = s.task_id
              CROSS JOIN LATERAL (
                  SELECT jsonb_object_agg(field, jsonb_build_array(value, confidence, answers, method)) AS results,
                         max(version) AS version
                    FROM results_result WHERE run_id = %s AND task_id = s.task_id) r
             WHERE s.so_far <= %s OR s.place = 1 ORDER BY s.task_id
            """,
            [run_id, after, PAGE_ITEMS, run_id, PAGE_BYTES],
        )
    ]


def answers_to(task_ids: list[int]) -> Iterator[tuple[int, int, list[Any]]]:
    """Paid and payable answers to these tasks, by task and assignment: (task, worker, [id, values, unclear, state,
    submitted at, version]). Rejected ones are withheld until they are upheld (R42)."""
    for task, worker, public_id, values, unclear, state, submitted_at, version in rows(
        "SELECT a.task_id, a.worker_id, a.public_id, w.values, w.unclear, a.state,"
        " date_trunc('minute', a.submitted_at), v.number"
        " FROM assignments_assignment a JOIN projects_version v ON v.id = a.version_id"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON true"
        " WHERE a.task_id = ANY(%s) AND a.state IN ('accepted', 'upheld') ORDER BY a.task_id, a.id",
        [task_ids],
    ):
        yield task, worker, [str(public_id), values, unclear, state, submitted_at.isoformat(), version]


def tasks_in(batch_id: int) -> int:
    """How many tasks the batch has."""
    row = one("SELECT tasks FROM batches_tail WHERE batch_id = %s", [batch_id])
    return int(row[0]) if row else 0


def without_result(batch_id: int, run_id: int, *, limit: int) -> list[str]:
    """External ids of some tasks of the batch that the run says nothing of."""
    return [
        row[0]
        for row in rows(
            "SELECT t.external_id FROM batches_task t WHERE t.batch_id = %s"
            " AND NOT EXISTS (SELECT 1 FROM results_result r WHERE r.run_id = %s AND r.task_id = t.id)"
            " ORDER BY t.external_id LIMIT %s",
            [batch_id, run_id, limit],
        )
    ]


def next_rows(dataset_id: int, *, number: int) -> tuple[int, bytes] | None:
    """The page of gathered rows with this item, and the number of its first."""
    row = one(
        "SELECT number, body FROM results_datasetpart WHERE dataset_id = %s AND kind = %s AND path = '' AND stretch = 0"
        " AND number <= %s ORDER BY number DESC LIMIT 1",
        [dataset_id, PartKind.ROWS, number],
    )
    return None if row is None else (row[0], bytes(row[1]))


def parts_of(dataset_id: int, kind: str, *, path: str = "") -> Iterator[bytes]:
    """The parts of a kind and path, in order, one in memory."""
    after = (-1, -1)
    while row := one(
        "SELECT stretch, number, body FROM results_datasetpart WHERE dataset_id = %s AND kind = %s AND path = %s"
        " AND (stretch, number) > (%s, %s) ORDER BY stretch, number LIMIT 1",
        [dataset_id, kind, path, *after],
    ):
        after = (row[0], row[1])
        yield bytes(row[2])


def grown_paths(dataset_id: int) -> list[str]:
    """The files that grew from stretch to stretch, by path."""
    return [
        row[0]
        for row in rows(
            'SELECT DISTINCT path COLLATE "C" FROM results_datasetpart WHERE dataset_id = %s AND kind = %s ORDER BY 1',
            [dataset_id, PartKind.GROWN],
        )
    ]


def archive_bytes(dataset_id: int, *, start: int, end: int) -> Iterator[bytes]:
    """The archive's bytes from `start` up to `end`, not included; one part is in memory."""
    at = start
    while at < end:
        row = one(
            "SELECT at, body FROM results_datasetpart WHERE dataset_id = %s AND at <= %s ORDER BY at DESC LIMIT 1",
            [dataset_id, at],
        )
        assert row is not None, "a part of the archive is missing"
        piece = bytes(row[1])[at - row[0] : end - row[0]]
        assert piece, "a part of the archive is missing"
        yield piece
        at += len(piece)


def archive_size(dataset_id: int) -> int:
    """How many bytes of the archive are in their place."""
    return int(
        value(
            "SELECT coalesce(max(at + octet_length(body)), 0) FROM results_datasetpart"
            " WHERE dataset_id = %s AND at IS NOT NULL",
            [dataset_id],
        )
    )

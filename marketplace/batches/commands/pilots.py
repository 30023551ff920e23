"""Pilots: a few items of a draft first; and what comes after them, the rest or another try."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from marketplace.batches.commands.create import Terms, create_batch, set_columns, terms_of
from marketplace.batches.commands.import_tasks import import_tasks
from marketplace.batches.commands.lifecycle import cancel_batch, publish_batch, require_no_import
from marketplace.batches.costs import Platform
from marketplace.batches.errors import CopyTooLarge, NothingToPublish
from marketplace.batches.locks import draft_for_update, hold_batch
from marketplace.batches.models import LEVELS, NAME_LENGTH, Batch
from marketplace.batches.queries import held_by, keys_in
from marketplace.batches.rows import Cursor, Row
from marketplace.batches.states import BatchKind, BatchState, Order
from marketplace.common.database import acting_as, rows, value
from marketplace.common.transactions import require_transaction
from marketplace.projects.models import Version

PILOT_MAX = 5_000
# What is copied is in memory for a moment.
COPIED_MAX = 20_000
COPIED_BYTES_MAX = 64 * 1024 * 1024
# A pilot takes its share of the gold, and so many if there are: by fewer nothing is measured.
GOLD_LEAST = 10
COPY = "copy"


def start_pilot(*, batch_id: int, items: int, chance: Random) -> Batch:
    """Publish so many of a draft's items as a pilot under the draft's terms; returns the pilot.

    The items are drawn by `chance`, and gold in proportion. They leave the draft, which waits with the rest as a
    regular batch whose `pilot` this is. Where the draft has no more, it is the pilot itself. Locks the batch, then the
    ledger accounts, last. Raises like `publish_batch`, and `WrongState` for what is no draft.
    """
    require_transaction()
    rest = draft_for_update(batch_id, refusal="A pilot is made of a draft.")
    require_no_import(batch_id)
    known = keys_in(rest)
    ordinary = held_by(rest).tasks - known
    if ordinary < 1:
        raise NothingToPublish("Import tasks before publishing; gold alone is no work.")
    plain, gold = _drawn(rest, items, known, ordinary, chance)
    if not plain:
        raise NothingToPublish("All items of this batch are reserved for somebody, so that none is left for a pilot.")
    if items >= ordinary:
        set_columns(rest.pk, kind=BatchKind.PILOT)
        return publish_batch(batch_id=rest.pk)
    terms = replace(terms_of(rest), kind=BatchKind.PILOT, name=named(rest.name, "pilot"))
    pilot = create_batch(project=rest.project, version=rest.version, terms=terms, platform=_platform(rest))
    _bring(pilot, _copied([rest.pk], [*plain, *gold], rest.order))
    value("SELECT batches_take_out(%s, %s)", [rest.pk, [*plain, *gold]])
    set_columns(rest.pk, kind=BatchKind.REGULAR, pilot_id=pilot.pk)
    return publish_batch(batch_id=pilot.pk)


def copy_batch(*, batch_id: int, version: Version, platform: Platform, items: bool, name: str = "") -> Batch:
    """A new draft with the terms of a batch, under a version of its project and what the platform asks now.

    With `items` it has the batch's items and keys too; of a pilot also those of the drafts that wait for it, which are
    cancelled. Without, it follows the batch where that is a pilot: for more items under the same terms. Reservations
    are not copied. Locks the batches whose items it copies: in the one itself claims go on. Raises `CopyTooLarge`,
    `RowsInvalid` where items do not fit the version, `ImportRunning`, `VersionNotPublished`.
    """
    require_transaction()
    batch = Batch.objects.select_related("project").get(pk=batch_id)
    waiting = list(batch.rests.filter(state=BatchState.DRAFT).order_by("pk")) if items else []
    for one in sorted([batch, *waiting], key=lambda one: one.pk) if items else ():
        if one.pk == batch.pk:
            hold_batch(one.pk)
        else:
            draft_for_update(one.pk)
        # None begins while it is locked.
        require_no_import(one.pk)
    terms = same_terms(batch, platform, name=name or batch.name)
    made = create_batch(project=batch.project, version=version, terms=terms, platform=platform)
    if items:
        _bring(made, _copied([batch.pk, *(one.pk for one in waiting)], None, batch.order))
        for one in waiting:
            cancel_batch(batch_id=one.pk)
    elif batch.kind == BatchKind.PILOT:
        set_columns(made.pk, pilot_id=batch.pk)
    return Batch.objects.select_related("requester", "project", "version").get(pk=made.pk)


def same_terms(batch: Batch, platform: Platform, *, name: str) -> Terms:
    """The terms of a batch for another one of its project, under what the platform asks now."""
    return replace(
        terms_of(batch),
        kind=BatchKind.REGULAR,
        name=name[:NAME_LENGTH],
        dispute_basis_points=max(batch.dispute_basis_points, platform.dispute_basis_points),
    )


def _platform(batch: Batch) -> Platform:
    """What the platform asked of a draft when it was made is what it asks of the draft's pilot too."""
    return Platform(
        fee_basis_points=batch.fee_basis_points,
        fee_minimum_micros=batch.fee_minimum_micros,
        dispute_basis_points=batch.dispute_basis_points,
        appeal_s=batch.appeal_s,
    )


def named(name: str, what: str) -> str:
    """The name of a batch that came of another: `what` it is there."""
    return f"{name[: NAME_LENGTH - len(what) - 3]} – {what}"


def gold_among(items: int, *, gold: int, ordinary: int) -> int:
    """How much of the gold goes with so many of the ordinary items: its share, and enough to hide and to measure."""
    return min(gold, max(-(-gold * items // max(1, ordinary)), min(GOLD_LEAST, -(-gold // 2))))


def _drawn(batch: Batch, items: int, gold: int, ordinary: int, chance: Random) -> tuple[list[int], list[int]]:
    """So many items by chance, and gold among which they can be hidden."""
    wanted = gold_among(items, gold=gold, ordinary=ordinary)
    seed = chance.getrandbits(48)
    with acting_as("gold_reader"):
        found = [
            [
                row[0]
                for row in rows(
                    "SELECT t.id FROM batches_task t WHERE t.batch_id = %s AND NOT t.reserved"
                    f" AND {is_gold} EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id)"
                    " ORDER BY hashint8extended(t.id, %s), t.id LIMIT %s",
                    [batch.pk, seed, count],
                )
            ]
            for is_gold, count in (("NOT", min(items, PILOT_MAX)), ("", wanted))
        ]
    return found[0], found[1]


def _copied(batch_ids: Sequence[int], task_ids: Sequence[int] | None, order: str) -> list[Row]:
    """These tasks, or all that nobody has reserved, as rows of an import."""
    if task_ids is None:
        tasks, size = rows(
            "SELECT count(*), coalesce(sum(octet_length(p.data::text)), 0) FROM batches_task t"
            " JOIN batches_payload p ON p.task_id = t.id WHERE t.batch_id = ANY(%s) AND NOT t.reserved",
            [list(batch_ids)],
        )[0]
        if tasks > COPIED_MAX or size > COPIED_BYTES_MAX:
            raise CopyTooLarge(f"Up to {COPIED_MAX:,} items are copied; make the batch without, and upload the file.")
    with acting_as("gold_reader"):
        found = rows(
            "SELECT t.external_id, t.overlap, t.priority, p.data, g.key FROM batches_task t"
            " JOIN batches_payload p ON p.task_id = t.id"
            " LEFT JOIN batches_goldkey g ON g.task_id = t.id AND g.origin = 'requester'"
            " WHERE t.batch_id = ANY(%s) AND NOT t.reserved AND (%s OR t.id = ANY(%s)) ORDER BY t.id",
            [list(batch_ids), task_ids is None, list(task_ids or [])],
        )
    return [
        Row(number, _fields(external_id, overlap, level, data, key, order))
        for number, (external_id, overlap, level, data, key) in enumerate(found, 1)
    ]


def _fields(external_id: str, overlap: int, level: int, data: Any, key: Any, order: str) -> dict[str, Any]:
    levels: dict[str, dict[str, Any]] = {
        Order.PRIORITY: {"priority": level},
        Order.UNCERTAINTY: {"score": level / LEVELS},
    }
    known = {} if key is None else {"gold": key}
    return {"external_id": external_id, "overlap": overlap, "data": data, **known, **levels.get(order, {})}


def _bring(batch: Batch, copied: Sequence[Row]) -> None:
    says = json.dumps([row.fields for row in copied], ensure_ascii=False).encode()
    import_tasks(
        batch_id=batch.pk,
        source=copied,
        body_sha256=hashlib.sha256(says).digest(),
        kind=COPY,
        size=len(says),
        cursor=Cursor(len(says), len(copied)),
    )

"""The middle steps of a data set: its files, one stretch of items after the other."""

import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.holding import PART_BYTES, Lost, hold, keep
from marketplace.results.errors import BuildRefused
from marketplace.results.gathered import item_of, unpacked
from marketplace.results.models import Dataset, DatasetPart
from marketplace.results.plans import Plan
from marketplace.results.queries.datasets import next_rows, parts_of
from marketplace.results.spool import Spool
from marketplace.results.states import DatasetState, PartKind
from marketplace.results.writers.base import NO_SPLIT, Item, Items, Losses, Writer
from marketplace.results.writers.registry import writers

# So many items a stretch has, for writers that work in stretches.
STRETCH_ITEMS = 25_000
# A writer that is given all items at once has to be done by then: tasks are killed after 50 s.
WHOLE_S = 40.0
BEAT_S = 5.0
COMMIT_BYTES = 32 * 1024 * 1024


def write(it: Dataset) -> None:
    """Have the format's writer write the next stretch, or all items where it takes no stretches."""
    writer = writers()[it.format]
    items, upto = _stretch(it, writer)
    losses = Losses()
    losses.take(it.losses)
    with Spool() as spool:
        losses.take(writer.write(items, spool, it.options).told())
        spooled = [(PartKind.WHOLE, "", spool.whole), (PartKind.INDEX, "", spool.index)]
        spooled += [(PartKind.GROWN, path, spool.grown[path]) for path in sorted(spool.grown)]
        with one_transaction(principal="system"):
            hold(it, stepped=False)
            # What a process left that died while it stored this stretch.
            DatasetPart.objects.filter(
                of=it, stretch=it.stretch, kind__in=[PartKind.WHOLE, PartKind.INDEX, PartKind.GROWN]
            ).delete()
        pieces = _pieces(spooled)
        going_on = True
        while going_on:
            with one_transaction(principal="system"):
                hold(it, stepped=False)
                run("SET LOCAL synchronous_commit = off")
                going_on = _store(it, pieces)
                if not going_on:
                    hold(it)
                    last = items.stretch + 1 == items.stretches
                    Dataset.objects.filter(pk=it.pk).update(
                        stretch=it.stretch + 1,
                        items_written=upto,
                        losses=losses.told(),
                        state=DatasetState.SEALING if last else DatasetState.WRITING,
                    )


def _pieces(spooled: list[tuple[PartKind, str, IO[bytes]]]) -> Iterator[tuple[PartKind, str, int, bytes]]:
    for kind, path, file in spooled:
        file.seek(0)
        number = 0
        while body := file.read(PART_BYTES):
            yield kind, path, number, body
            number += 1


def _store(it: Dataset, pieces: Iterator[tuple[PartKind, str, int, bytes]]) -> bool:
    """Keep some pieces; whether there may be more."""
    size = 0
    for kind, path, number, body in pieces:
        keep(it, kind, body, path=path, stretch=it.stretch, number=number)
        size += len(body)
        if size >= COMMIT_BYTES:
            return True
    return False


def _stretch(it: Dataset, writer: Writer) -> tuple[Items, int]:
    """The items of the next stretch, and the number of the first behind it."""
    plan, interface = Plan.of(it), it.batch.version.interface
    in_stretches = getattr(writer, "in_stretches", False)
    stretches = -(-it.items // STRETCH_ITEMS) if in_stretches else 1
    begin = it.stretch * STRETCH_ITEMS if in_stretches else 0
    end = min(it.items, begin + STRETCH_ITEMS) if in_stretches else it.items
    deadline = time.monotonic() + WHOLE_S
    names = list(plan.splits or {NO_SPLIT: 0})
    chosen: bytes | None = None
    if plan.splits:
        chosen = zlib.decompress(next(parts_of(it.pk, PartKind.SPLITS)))
    fields = {field["name"]: field for field in interface["answer"]}

    def walk() -> Iterator[Item]:
        number, beat = begin, time.monotonic()
        while number < end:
            found = next_rows(it.pk, number=number)
            if found is None:
                raise Lost
            first, body = found
            for row in unpacked(body)[number - first :][: end - number]:
                split = names[chosen[number]] if chosen is not None else NO_SPLIT
                yield item_of(row, number=number, split=split, fields=fields)
                number += 1
            now = time.monotonic()
            if now > deadline:
                raise BuildRefused(
                    f"Files of the format {it.format} are made in one piece, and {it.items} items are too many for"
                    " that: take another format, or make smaller batches."
                )
            if now > beat + BEAT_S:
                beat = now
                with one_transaction(principal="system"):
                    hold(it, stepped=False)

    items = Items(
        data=tuple(interface["data"]),
        answer=tuple(interface["answer"]),
        walk=walk,
        splits=tuple(names),
        name=it.batch.name,
        about={
            "project": it.batch.project.name,
            "reward": f"{it.batch.price_micros / 1_000_000:.6f}".rstrip("0").rstrip("."),
            "currency": it.batch.currency,
            "overlap": it.batch.overlap,
            "time_limit_s": it.batch.time_limit_s,
        },
    )
    return (replace(items, stretch=it.stretch, stretches=stretches) if in_stretches else items), end

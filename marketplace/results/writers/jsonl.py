"""JSON Lines: one object for each item, values as they are."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.results.writers.base import Answer, Item, Items, Losses, Sink
from marketplace.results.writers.columns import appended, as_json, read_options


class Jsonl:
    """`external_id`, `data`, `values`, `confidence`, `votes`, `method`, `instruction_version`, `gold`, with splits
    `split`, and where the data set has them `answers`."""

    name = "jsonl"
    title = "JSON Lines"
    needs: frozenset[type] = frozenset()
    answers = False
    in_stretches = True

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        return read_options(options, {})

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        with ExitStack() as stack:
            files = appended(stack, items, out, "jsonl")
            for item in items:
                files[item.split].write(as_json(_told(item)).encode() + b"\n")
        return Losses()


def _told(item: Item) -> dict[str, Any]:
    told = {
        "external_id": item.external_id,
        "data": item.data,
        "values": item.values,
        "confidence": item.confidence,
        "votes": item.votes,
        "method": item.method,
        "instruction_version": item.instruction_version,
        "gold": item.gold,
    }
    if item.split:
        told["split"] = item.split
    if item.answers:
        told["answers"] = [_answer(answer) for answer in item.answers]
    return told


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "worker": answer.worker,
        "values": answer.values,
        "unclear": answer.unclear,
        "state": answer.state,
        "submitted_at": answer.submitted_at,
        "instruction_version": answer.instruction_version,
    }


WRITERS = (Jsonl(),)

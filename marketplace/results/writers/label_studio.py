"""Label Studio: `tasks.json`, tasks with the result as an annotation or a prediction, and `label_config.xml`.

Source: the task format on labelstud.io/guide, and the example results of each tag.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field, FieldError, FieldInvalid
from marketplace.projects.answer_types.parts import (
    Box,
    Class,
    Keypoints,
    Mask,
    Number,
    Order,
    Part,
    Polygon,
    Polyline,
    Relation,
    Segment,
    Span,
    Text,
    Track,
)
from marketplace.results.writers.base import Item, Items, Losses, Sink
from marketplace.results.writers.label_studio_config import NO_TAG, label_config, tag_of
from marketplace.results.writers.label_studio_results import Unsaid, results_of
from marketplace.results.writers.pictures import size_for
from marketplace.results.writers.said import FIELDS_OPTION, check_fields_option, said_parts

WAYS = ("annotations", "predictions")


class LabelStudio:
    """Results are one annotation of each task, or with `as: predictions` one prediction with a score, the confidence of
    the least sure field."""

    name = "label_studio"
    title = "Label Studio JSON"
    needs = frozenset(
        (Class, Number, Text, Order, Box, Polygon, Polyline, Keypoints, Mask, Span, Relation, Segment, Track)
    )
    answers = False

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        """`fields` as all have; `as`, annotations or predictions."""
        checked = check_fields_option(
            options, needs=self.needs, data=data, answer=answer, known=("as",), one_picture=False
        )
        way = options.get("as") or WAYS[0]
        if way not in WAYS:
            raise FieldInvalid([FieldError("as", f"must be {' or '.join(WAYS)}")])
        return checked | {"as": way}

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses = Losses()
        fields = {field["name"]: field for field in items.answer if field["name"] in options[FIELDS_OPTION]}
        with out.open("label_config.xml") as file:
            file.write(label_config(items.data, list(fields.values())).encode())
        for split in items.splits:
            with out.open(f"{split or 'tasks'}.json") as file:
                file.write(b"[")
                separator = b"\n"
                for item in items.of_split(split):
                    task = self._task(item, items, fields, losses, options)
                    file.write(separator + json.dumps(task, ensure_ascii=False, separators=(",", ":")).encode())
                    separator = b",\n"
                file.write(b"\n]\n")
        return losses

    def _task(
        self, item: Item, items: Items, fields: Mapping[str, Field], losses: Losses, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        by_field: dict[str, list[Part]] = {}
        for name, part in said_parts(self, item, options, losses):
            by_field.setdefault(name, []).append(part)
        results: list[dict[str, Any]] = []
        for name, parts in by_field.items():
            field = fields[name]
            if tag_of(field) is None:
                losses.add(NO_TAG, field=name, item=item.external_id, count=len(parts))
                continue
            for one in results_of(field, parts, item.data, size_for(item, field), items.data):
                if isinstance(one, Unsaid):
                    losses.add(one.reason, field=name, item=item.external_id)
                else:
                    results.append(one)
        said: dict[str, Any] = {"result": results}
        if options["as"] == "predictions":
            said["model_version"] = ", ".join(sorted({item.method[name] for name in by_field if name in item.method}))
            if known := [item.confidence[name] for name in by_field if name in item.confidence]:
                said["score"] = round(min(known), 6)
        else:
            said["ground_truth"] = item.gold
        task = {"id": item.number + 1, "data": dict(item.data), "meta": {"external_id": item.external_id}}
        return task | {way: [said] if way == options["as"] and results else [] for way in WAYS}


WRITERS = (LabelStudio(),)

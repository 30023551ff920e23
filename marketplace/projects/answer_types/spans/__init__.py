"""Stretches of a text, each with a label, and relations between them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marketplace.aggregation.text.stretches import Stretch, matched
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.credit import f1
from marketplace.projects.answer_types.declaration import COMMON, NAME, Declaration
from marketplace.projects.answer_types.labelling import METHODS, method_used
from marketplace.projects.answer_types.labels import read_labels
from marketplace.projects.answer_types.marking import in_order, marked
from marketplace.projects.answer_types.parts import Relation, Span
from marketplace.projects.answer_types.plain import VALUE_BYTES_MAX
from marketplace.projects.answer_types.spans.relations import (
    RELATIONS_MAX,
    Link,
    agreed_relations,
    clean_relations,
    read_relations,
)

SPANS_MAX = 5_000
SPANS_DEFAULT = 500
ID_MAX = 100
# No text of an item has more characters.
POSITION_MAX = VALUE_BYTES_MAX
KEYS = {"label", "start", "end"}


class Spans:
    """Values are `{"spans": [{id, label, start, end}], "relations": [{label, from, to}]}`.

    Positions count characters (code points of Unicode) of the text as the item stores it; `end` is not included.
    Spans come in the order of start, end and label, and their ids are "1", "2", … in that order, whatever the client
    called them, so that the same spans are the same value. Spans of one label never overlap.
    """

    name = "spans"
    methods: tuple[str, ...] = tuple(METHODS)
    correct_at = 0.8
    # Types of data that the field's `of` may name.
    of = ("text", "markdown")

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the text; `labels` (1 to 500); `relations`, labels of relations, each with
        the labels of spans that it can be `from` and `to`, or all; `overlap` (false): may spans of different labels
        overlap; `min` (0) and `max` (500) spans; `iou` (1), from which overlap on two spans are the same; `partial`
        (true): credit for what is right."""
        read = Declaration(field, (*COMMON, "of", "labels", "relations", "overlap", "min", "max", "iou", "partial"))
        checked = read.common() | {"of": field.get("of"), "labels": read_labels(read, field, "labels", least=1)}
        if not isinstance(checked["of"], str) or not NAME.fullmatch(checked["of"]):
            read.refuse("of", "must be the name of a data field of type text or markdown")
        if read.has("relations"):
            checked["relations"] = read_relations(read, field, checked["labels"])
        checked["overlap"] = read.flag("overlap", default=False)
        checked["min"] = read.whole("min", 0, SPANS_MAX, default=0)
        checked["max"] = read.whole("max", 1, SPANS_MAX, default=max(SPANS_DEFAULT, checked["min"]))
        if checked["min"] > checked["max"]:
            read.refuse("min", "must not exceed max")
        checked["iou"] = read.number("iou") if read.has("iou") else 1
        if checked["iou"] is not None and not 0.1 <= checked["iou"] <= 1:
            read.refuse("iou", "must be from 0.1 to 1")
        checked["partial"] = read.flag("partial", default=True)
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        if not isinstance(value, dict) or not {"spans"} <= value.keys() <= {"spans", "relations"}:
            raise ValueRefused("must have spans and relations, and nothing else")
        raw = value["spans"]
        if not isinstance(raw, list):
            raise ValueRefused("spans must be a list")
        if not field["min"] <= len(raw) <= field["max"]:
            raise ValueRefused(f"must have {field['min']} to {field['max']} spans")
        order = {label["value"]: at for at, label in enumerate(field["labels"])}
        spans = sorted(
            (_clean_span(f"span {number}: ", one, order) for number, one in enumerate(raw, 1)),
            key=lambda span: (span[1][1], span[1][2], order[span[1][0]]),
        )
        _refuse_overlaps([stretch for _, stretch in spans], one_line=not field["overlap"])
        named = {given: (at, stretch[0]) for at, (given, stretch) in enumerate(spans) if given is not None}
        if len(named) < sum(given is not None for given, _ in spans):
            raise ValueRefused("has two spans with the same id")
        given_relations = value.get("relations")
        links = clean_relations(field, [] if given_relations is None else given_relations, named)
        return _value([stretch for _, stretch in spans], links)

    def check_data(self, field: Field, value: Any, data: Mapping[str, Any]) -> None:
        """Refuse spans that reach beyond the item's text."""
        length = len(data.get(field["of"], ""))
        if any(span["end"] > length for span in value["spans"]):
            raise ValueRefused(f"has a span beyond the end of the text, which has {length} characters")

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of spans and relations together. Spans are the same by label and an overlap of `iou`, each in one pair;
        relations by label, between spans that are the same. 1 where nothing is to be marked and nothing is. Without
        `partial` 1 or 0."""
        wanted, given = _stretches(key), _stretches(value)
        pairs = matched(given, wanted, field["iou"])
        place = dict(pairs)
        links = {(label, place.get(start), place.get(end)) for label, start, end in _links(value)}
        found = f1(
            len(pairs) + len(links & set(_links(key))),
            len(wanted) + len(key["relations"]),
            len(given) + len(value["relations"]),
        )
        return found if field["partial"] else float(found == 1.0)

    def json_schema(self, field: Field) -> dict[str, Any]:
        place = {"type": "integer", "minimum": 0, "maximum": POSITION_MAX}
        label = {"type": "string", "enum": [label["value"] for label in field["labels"]]}
        identifier = {"type": "string", "minLength": 1, "maxLength": ID_MAX}
        span = {
            "type": "object",
            "properties": {"id": identifier, "label": label, "start": place, "end": place},
            "required": ["label", "start", "end"],
            "additionalProperties": False,
        }
        kinds = [kind["value"] for kind in field.get("relations", ())]
        relation = {
            "type": "object",
            "properties": {"label": {"type": "string", "enum": kinds}, "from": identifier, "to": identifier},
            "required": ["label", "from", "to"],
            "additionalProperties": False,
        }
        relations = {"type": "array", "items": relation, "maxItems": RELATIONS_MAX}
        return {
            "type": "object",
            "properties": {
                "spans": {"type": "array", "items": span, "minItems": field["min"], "maxItems": field["max"]},
                "relations": relations if kinds else {"type": "array", "maxItems": 0},
            },
            "required": ["spans"],
            "additionalProperties": False,
        }

    def parts(self, field: Field, value: Any) -> Iterable[Span | Relation]:
        spans = [Span(span["label"], span["start"], span["end"], field["of"], span["id"]) for span in value["spans"]]
        return [*spans, *(Relation(one["label"], one["from"], one["to"]) for one in value["relations"])]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """Votes on each piece of text between the boundaries that anyone drew: its label, or none.

        A tie goes to the label that is declared first, and to a label before none. With `overlap` each label is voted
        on by itself. Neighbouring pieces of a label are one span unless most of those who gave it begin a new one.
        Relations are those of at least half of the answers. Confidence is that of the least sure piece, or of the least
        agreed relation. A result may have fewer than `min` or more than `max` spans where answers differ much.
        """
        used = method_used(method, self.methods)
        labels = [label["value"] for label in field["labels"]]
        kinds = [kind["value"] for kind in field.get("relations", ())]
        stretches = [_stretches(value) for value in answers.value]
        found = marked(answers, stretches, labels, used, layers=field["overlap"])
        rows: dict[int, list[int]] = {}
        for at in in_order(answers):
            rows.setdefault(answers.task[at], []).append(at)
        results = []
        for task, row in rows.items():
            spans = found.stretches[task]
            given = [(stretches[at], _links(answers.value[at])) for at in row]
            links, agreed = agreed_relations(spans, given, kinds)
            results.append(FieldResult(task, _value(spans, links), min(found.confidence[task], agreed), len(row)))
        return FieldOutcome(used, results, found.iterations, found.converged)


def _clean_span(where: str, span: Any, order: Mapping[str, int]) -> tuple[str | None, Stretch]:
    if not isinstance(span, dict) or not span.keys() >= KEYS or not span.keys() <= KEYS | {"id"}:
        raise ValueRefused(f"{where}must have label, start and end, perhaps an id, and nothing else")
    if not isinstance(span["label"], str) or span["label"] not in order:
        raise ValueRefused(f"{where}names a label that does not exist")
    places = []
    for end in ("start", "end"):
        at = span[end]
        if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= POSITION_MAX or at != int(at):
            raise ValueRefused(f"{where}{end} must be a whole number from 0 to {POSITION_MAX}")
        places.append(int(at))
    if places[0] >= places[1]:
        raise ValueRefused(f"{where}must end after it starts")
    given = span.get("id")
    if given is not None and not (isinstance(given, str) and 1 <= len(given) <= ID_MAX):
        raise ValueRefused(f"{where}id must be a text of 1 to {ID_MAX} characters")
    return given, (span["label"], places[0], places[1])


def _refuse_overlaps(stretches: Sequence[Stretch], *, one_line: bool) -> None:
    """Refuse what overlaps, of the same label or at all. `stretches` are in order."""
    ends: dict[Any, float] = {}
    for label, start, end in stretches:
        line = "" if one_line else label
        if start < ends.get(line, 0):
            raise ValueRefused("has two spans that overlap" if one_line else f"has two spans of {label} that overlap")
        ends[line] = end


def _stretches(value: Any) -> list[Stretch]:
    return [(span["label"], span["start"], span["end"]) for span in value["spans"]]


def _links(value: Any) -> list[Link]:
    number = {span["id"]: at for at, span in enumerate(value["spans"])}
    return [(one["label"], number[one["from"]], number[one["to"]]) for one in value["relations"]]


def _value(stretches: Sequence[Stretch], links: Sequence[Link]) -> dict[str, Any]:
    return {
        "spans": [
            {"id": str(number), "label": label, "start": start, "end": end}
            for number, (label, start, end) in enumerate(stretches, 1)
        ],
        "relations": [{"label": label, "from": str(one + 1), "to": str(other + 1)} for label, one, other in links],
    }


ANSWER_TYPE = Spans()

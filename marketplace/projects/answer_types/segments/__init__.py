"""Who speaks when, or what is heard when: stretches of a sound or a film, each with a label."""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Any

from marketplace.aggregation.text.stretches import Stretch, shared_length
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, NAME, Declaration
from marketplace.projects.answer_types.labelling import METHODS, method_used
from marketplace.projects.answer_types.labels import read_labels
from marketplace.projects.answer_types.marking import in_order, marked
from marketplace.projects.answer_types.parts import Segment
from marketplace.projects.answer_types.seconds import DIGITS, SECONDS_MAX, clean_times, plain_time
from marketplace.projects.answer_types.segments.speakers import renamed, same_speakers

SEGMENTS_MAX = 5_000
SEGMENTS_DEFAULT = 1_000
SPEAKERS_MAX = 50
COLLAR_MAX = 5
KEYS = {"label", "start", "end"}


class Segments:
    """Values are lists of `{label, start, end}` in seconds, to a millisecond, in the order of start, end and label.

    Segments of one label never overlap.
    """

    name = "segments"
    methods: tuple[str, ...] = tuple(METHODS)
    correct_at = 0.8
    # Types of data that the field's `of` may name.
    of = ("audio", "video")

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the sound or film; `labels` (1 to 500); `interchangeable` (false): labels
        only tell speakers apart, so which is which does not matter (at most 50); `overlap` (true): may segments of
        different labels overlap; `duration` of all sounds in seconds, where it is known; `min_duration` (0) of a
        segment; `min` (0) and `max` (1,000) segments; `collar` (0): how many seconds around a right boundary are not
        judged; `partial` (true): credit for the time that is right."""
        options = ("overlap", "duration", "min_duration", "min", "max", "interchangeable", "collar", "partial")
        read = Declaration(field, (*COMMON, "of", "labels", *options))
        checked = read.common() | {"of": field.get("of"), "labels": read_labels(read, field, "labels", least=1)}
        if not isinstance(checked["of"], str) or not NAME.fullmatch(checked["of"]):
            read.refuse("of", "must be the name of a data field of type audio or video")
        checked["overlap"] = read.flag("overlap", default=True)
        checked["interchangeable"] = read.flag("interchangeable", default=False)
        if checked["interchangeable"] and len(checked["labels"]) > SPEAKERS_MAX:
            read.refuse("labels", f"must be at most {SPEAKERS_MAX} where they are interchangeable")
        if read.has("duration"):
            checked["duration"] = read.number_between("duration", 0.001, SECONDS_MAX, "seconds")
        checked["min_duration"] = read.number_between(
            "min_duration", 0, checked.get("duration") or SECONDS_MAX, "seconds"
        )
        checked["collar"] = read.number_between("collar", 0, COLLAR_MAX, "seconds")
        checked["min"] = read.whole("min", 0, SEGMENTS_MAX, default=0)
        checked["max"] = read.whole("max", 1, SEGMENTS_MAX, default=max(SEGMENTS_DEFAULT, checked["min"]))
        if checked["min"] > checked["max"]:
            read.refuse("min", "must not exceed max")
        checked["partial"] = read.flag("partial", default=True)
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueRefused("must be a list of segments")
        if not field["min"] <= len(value) <= field["max"]:
            raise ValueRefused(f"must have {field['min']} to {field['max']} segments")
        order = {label["value"]: at for at, label in enumerate(field["labels"])}
        stretches = [_clean_segment(field, order, f"segment {number}: ", one) for number, one in enumerate(value, 1)]
        stretches.sort(key=lambda stretch: (stretch[1], stretch[2], order[stretch[0]]))
        ends: dict[Any, float] = {}
        for label, start, end in stretches:
            line = label if field["overlap"] else ""
            if start < ends.get(line, 0):
                raise ValueRefused(
                    f"has two segments of {label} that overlap" if line else "has two segments that overlap"
                )
            ends[line] = end
        return _value(stretches)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 by time: twice the time that both give the same label, by the time that each gives a label in all.

        Time within `collar` of a boundary of the key is left out. Interchangeable labels are first matched so that they
        share the most time. 1 where both are silent. Without `partial` 1 from `correct_at` on, otherwise 0.
        """
        wanted, given = _stretches(key), _stretches(value)
        labels = sorted({label for label, _, _ in given})
        partner = same_speakers(given, wanted) if field["interchangeable"] else dict(zip(labels, labels, strict=True))
        judged = _away_from_boundaries(wanted, field["collar"])
        shared, spoken = [], []
        for label in labels:
            left = _of(given, label, judged)
            spoken.append(_length(left))
            if label in partner:
                shared.append(shared_length(left, _of(wanted, partner[label], judged)))
        spoken += [_length(_of(wanted, label, judged)) for label in sorted({label for label, _, _ in wanted})]
        total = fsum(spoken)
        found = min(1.0, round(2 * fsum(shared) / total, 9)) if total else 1.0
        return found if field["partial"] else float(found >= self.correct_at)

    def json_schema(self, field: Field) -> dict[str, Any]:
        time = {"type": "number", "minimum": 0, "maximum": field.get("duration", SECONDS_MAX)}
        label = {"type": "string", "enum": [label["value"] for label in field["labels"]]}
        segment = {
            "type": "object",
            "properties": {"label": label, "start": time, "end": time},
            "required": ["label", "start", "end"],
            "additionalProperties": False,
        }
        return {"type": "array", "items": segment, "minItems": field["min"], "maxItems": field["max"]}

    def parts(self, field: Field, value: Any) -> Iterable[Segment]:
        return [Segment(one["start"], one["end"], one["label"]) for one in value]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """Votes on each piece of time between the boundaries that anyone drew: its label, or none.

        A tie goes to the label that is declared first, and to a label before none. With `overlap` each label is voted
        on by itself. Segments shorter than `min_duration` that come of it are left out. Interchangeable labels are
        first named after those of the answer that shares the most with all others. Confidence is that of the least sure
        piece. A result may have fewer than `min` or more than `max` segments where answers differ much.
        """
        used = method_used(method, self.methods)
        labels = [label["value"] for label in field["labels"]]
        rows: dict[int, list[int]] = {}
        for at in in_order(answers):
            rows.setdefault(answers.task[at], []).append(at)
        stretches: list[list[Stretch]] = [_stretches(value) for value in answers.value]
        if field["interchangeable"]:
            names = labels + sorted({label for one in stretches for label, _, _ in one} - set(labels))
            for row in rows.values():
                self._name_alike(field, answers, stretches, row, names)
        found = marked(answers, stretches, labels, used, layers=field["overlap"])
        results = []
        for task, row in rows.items():
            kept = [one for one in found.stretches[task] if round(one[2] - one[1], DIGITS) >= field["min_duration"]]
            results.append(FieldResult(task, _value(kept), found.confidence[task], len(row)))
        return FieldOutcome(used, results, found.iterations, found.converged)

    def _name_alike(
        self, field: Field, answers: AnswerTable, stretches: list[list[Stretch]], row: Sequence[int], names: list[str]
    ) -> None:
        """Give the speakers of a task's answers the names that they have in the answer most like the others.

        Names count from the first who speaks there, so that the same answers by other names give the same result.
        """
        values = {at: answers.value[at] for at in row}
        partial = {**field, "partial": True}
        likeness = {at: round(fsum(self.score(partial, values[other], values[at]) for other in row), 6) for at in row}
        # Of equals, the one whose times come first: names may differ where times do not.
        model = min(row, key=lambda at: (-likeness[at], [(one["start"], one["end"]) for one in values[at]]))
        speakers = dict.fromkeys(label for label, _, _ in stretches[model])
        pattern = renamed(stretches[model], dict(zip(speakers, names, strict=False)), names)
        for at in row:
            stretches[at] = renamed(stretches[at], same_speakers(stretches[at], pattern), names)


def _length(stretches: Iterable[tuple[float, float]]) -> float:
    return fsum(end - start for start, end in stretches)


def _clean_segment(field: Field, order: Mapping[str, int], where: str, segment: Any) -> Stretch:
    if not isinstance(segment, dict) or set(segment) != KEYS:
        raise ValueRefused(f"{where}must have label, start and end, and nothing else")
    if not isinstance(segment["label"], str) or segment["label"] not in order:
        raise ValueRefused(f"{where}names a label that does not exist")
    until = field.get("duration", SECONDS_MAX)
    return (segment["label"], *clean_times(where, segment, shortest=field["min_duration"], until=until))


def _stretches(value: Any) -> list[Stretch]:
    return [(one["label"], one["start"], one["end"]) for one in value]


def _value(stretches: Sequence[Stretch]) -> list[dict[str, Any]]:
    return [{"label": label, "start": plain_time(start), "end": plain_time(end)} for label, start, end in stretches]


def _away_from_boundaries(stretches: Sequence[Stretch], collar: float) -> list[tuple[float, float]]:
    """The time that is farther than the collar from every boundary."""
    judged, since = [], 0.0
    for at in sorted({at for _, start, end in stretches for at in (start, end)}) if collar else ():
        if at - collar > since:
            judged.append((since, at - collar))
        since = max(since, at + collar)
    return [*judged, (since, float("inf"))]


def _of(stretches: Sequence[Stretch], label: str, judged: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where a label is, as far as it is judged."""
    kept = []
    for name, start, end in stretches:
        if name == label:
            parts = ((max(start, low), min(end, high)) for low, high in judged if low < end and high > start)
            kept += [part for part in parts if part[0] < part[1]]
    return kept


ANSWER_TYPE = Segments()

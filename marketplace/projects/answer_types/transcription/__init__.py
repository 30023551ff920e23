"""What is said in a sound or a film, and when."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from marketplace.aggregation.text.stretches import shared_length
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, NAME, Declaration
from marketplace.projects.answer_types.labelling import method_used
from marketplace.projects.answer_types.parts import Segment, Text
from marketplace.projects.answer_types.plain import VALUE_BYTES_MAX, bytes_of, text_problem
from marketplace.projects.answer_types.seconds import SECONDS_MAX, clean_times
from marketplace.projects.answer_types.wording import METHODS, text_of, word_edits, worded, words_of

SEGMENTS_MAX = 5_000
SEGMENTS_DEFAULT = 1_000
LENGTH_DEFAULT = 2_000
# An hour of speech has some 60,000 characters; in some scripts each takes three bytes.
BYTES_MAX = 4 * VALUE_BYTES_MAX
# Two texts of so many words or characters that have nothing in common are compared in about a second.
COMPARED_MAX = 30_000
UNITS = ("word", "character")
ROUNDING = 1e-9


class Transcription:
    """Values are lists of `{start, end, text}` in seconds, to a millisecond, rising without overlap; with
    `timestamps: false` lists of at most one `{text}`. An empty list says that nothing is said."""

    name = "transcription"
    methods: tuple[str, ...] = tuple(METHODS)
    correct_at = 0.9
    # Types of data that the field's `of` may name.
    of = ("audio", "video")

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the sound or film; `timestamps` (true); `max` segments (1,000) and
        `max_length` characters of each (2,000, or 65,536 without timestamps); `duration` of all sounds in seconds,
        where it is known; `unit` (word): whether words or characters are compared; `tolerance` (0), the share of the
        right words that may be wrong; `timing` (0 to 1, else 0), how much of the score is when something is said
        instead of what; `partial` (true): credit for the words that are right."""
        options = ("timestamps", "max", "max_length", "duration", "unit", "tolerance", "timing", "partial")
        read = Declaration(field, (*COMMON, "of", *options))
        checked = read.common() | {"of": field.get("of"), "timestamps": read.flag("timestamps", default=True)}
        if not isinstance(checked["of"], str) or not NAME.fullmatch(checked["of"]):
            read.refuse("of", "must be the name of a data field of type audio or video")
        longest = LENGTH_DEFAULT if checked["timestamps"] else VALUE_BYTES_MAX
        checked["max_length"] = read.whole("max_length", 1, VALUE_BYTES_MAX, default=longest)
        if checked["timestamps"]:
            checked["max"] = read.whole("max", 1, SEGMENTS_MAX, default=SEGMENTS_DEFAULT)
            if read.has("duration"):
                checked["duration"] = read.number_between("duration", 0.001, SECONDS_MAX)
            checked["timing"] = read.number_between("timing", 0, 1)
        else:
            for option in ("max", "duration", "timing"):
                if read.has(option):
                    read.refuse(option, "is only for transcriptions with timestamps")
        checked["unit"] = read.text("unit", 20) or "word"
        if checked["unit"] not in UNITS:
            read.refuse("unit", f"must be {' or '.join(UNITS)}")
        checked["tolerance"] = read.number_between("tolerance", 0, 0.9)
        checked["partial"] = read.flag("partial", default=True)
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        most = field["max"] if field["timestamps"] else 1
        if not isinstance(value, list):
            raise ValueRefused("must be a list of segments")
        if len(value) > most:
            raise ValueRefused(f"must have at most {most} segment{'s' if most > 1 else ''}")
        keys = {"start", "end", "text"} if field["timestamps"] else {"text"}
        cleaned = [_clean_segment(field, keys, f"segment {number}: ", one) for number, one in enumerate(value, 1)]
        if sum(bytes_of(segment["text"]) for segment in cleaned) > BYTES_MAX:
            raise ValueRefused(f"must have at most {BYTES_MAX} bytes of text")
        if len(_words(field, cleaned)) > COMPARED_MAX:
            raise ValueRefused(f"must have at most {COMPARED_MAX} {field['unit']}s")
        if field["timestamps"]:
            cleaned.sort(key=lambda segment: (segment["start"], segment["end"]))
            for before, after in itertools.pairwise(cleaned):
                if after["start"] < before["end"]:
                    raise ValueRefused(f"has two segments that overlap, at {after['start']:g} seconds")
        return cleaned

    def score(self, field: Field, key: Any, value: Any) -> float:
        """1 - edits / words of the longer text, whatever case and punctuation; 1 where the edits are within the
        `tolerance` share of the key's words. `timing` of that is the share of the time with speech in either that both
        have. Without `partial` 1 from `correct_at` on, otherwise 0."""
        wanted, given = _words(field, key), _words(field, value)
        edits, longer = word_edits(wanted, given), max(len(wanted), len(given))
        free = edits <= field["tolerance"] * len(wanted) * (1 + ROUNDING)
        found = 1.0 if free else 1 - edits / longer
        if timing := field.get("timing"):
            found = (1 - timing) * found + timing * _time_shared(key, value)
        return found if field["partial"] else float(found >= self.correct_at)

    def json_schema(self, field: Field) -> dict[str, Any]:
        time = {"type": "number", "minimum": 0, "maximum": field.get("duration", SECONDS_MAX)}
        text = {"type": "string", "minLength": 1, "maxLength": field["max_length"]}
        properties = {"start": time, "end": time, "text": text} if field["timestamps"] else {"text": text}
        segment = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return {"type": "array", "items": segment, "maxItems": field["max"] if field["timestamps"] else 1}

    def parts(self, field: Field, value: Any) -> Iterable[Segment | Text]:
        if not field["timestamps"]:
            return [Text(one["text"]) for one in value]
        return [Segment(one["start"], one["end"], text=one["text"]) for one in value]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """Word by word over the answers laid beside each other (`rover`), or the answer nearest to the others
        (`medoid`). Segments and times are those of the answer nearest to the others; a word that it does not have goes
        to the segment of the word before it. Where that answer says that nothing is said, so does the result.
        Confidence and ties as those methods say; a word comes in the spelling that was given most often."""
        used = method_used(method, self.methods)
        found = worded(answers, [_words(field, value) for value in answers.value], used)
        results = []
        for task, words in enumerate(found.words):
            origin = found.result.origin[task]
            if words is None or origin is None:
                continue
            backbone = answers.value[found.rows[origin]]
            value = _in_segments(field, backbone, words, found.result.sources[task]) if used == "rover" else backbone
            results.append(
                FieldResult(task, value, float(found.result.confidence[task]), int(found.result.n_answers[task]))
            )
        return FieldOutcome(used, results, found.result.iterations, found.result.converged)


def _clean_segment(field: Field, keys: set[str], where: str, segment: Any) -> dict[str, Any]:
    if not isinstance(segment, dict) or set(segment) != keys:
        named = "start, end and text" if len(keys) > 1 else "text"
        raise ValueRefused(f"{where}must have {named}, and nothing else")
    text = segment["text"]
    if not isinstance(text, str):
        raise ValueRefused(f"{where}text must be text")
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if problem := text_problem(text):
        raise ValueRefused(f"{where}text {problem}")
    if not 1 <= len(text) <= field["max_length"]:
        raise ValueRefused(f"{where}text must have 1 to {field['max_length']} characters")
    if len(keys) == 1:
        return {"text": text}
    start, end = clean_times(where, segment, until=field.get("duration", SECONDS_MAX))
    return {"start": start, "end": end, "text": text}


def _words(field: Field, value: Any) -> list[str]:
    return [word for segment in value for word in words_of(segment["text"], field["unit"])]


def _time_shared(one: Any, other: Any) -> float:
    spoken = [[(segment["start"], segment["end"]) for segment in value] for value in (one, other)]
    shared = shared_length(*spoken)
    union = sum(end - start for stretches in spoken for start, end in stretches) - shared
    return min(1.0, shared / union) if union > 0 else 1.0


def _in_segments(
    field: Field, backbone: Any, words: Sequence[str], sources: Sequence[int | None]
) -> list[dict[str, Any]]:
    """The words in the segments of an answer; `sources` says which of its words each took, if any."""
    owner = [at for at, segment in enumerate(backbone) for _ in words_of(segment["text"], field["unit"])]
    said: list[list[str]] = [[] for _ in backbone]
    if not backbone:
        return []
    current = 0
    for word, source in zip(words, sources, strict=True):
        current = owner[source] if source is not None else current
        said[current].append(word)
    return [
        {**segment, "text": text_of(spoken, field["unit"])}
        for segment, spoken in zip(backbone, said, strict=True)
        if spoken
    ]


ANSWER_TYPE = Transcription()

"""Free text."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from marketplace.aggregation.text.edits import edit_distance
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.labelling import method_used
from marketplace.projects.answer_types.parts import Text as TextPart
from marketplace.projects.answer_types.plain import VALUE_BYTES_MAX, bytes_of, text_problem
from marketplace.projects.answer_types.text.patterns import PATTERN_MAX, compiled, pattern_problem
from marketplace.projects.answer_types.wording import METHODS, normal_form, text_of, worded, words_of

LENGTH_DEFAULT = 10_000
LENGTH_DEFAULT_WITH_PATTERN = 200
VERDICT = ("max_distance", "tolerance", "partial")
# The normal form can be longer than what was written. Two texts of this length are compared in a fifth of a second.
COMPARED_MAX = 20_000
# A share of the length may come out a rounding below a whole number of edits.
ROUNDING = 1e-9


class Text:
    """Values are texts without white space around them, lines ended by a newline alone."""

    name = "text"
    methods: tuple[str, ...] = ("most_frequent", *METHODS)
    correct_at = 1.0

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `max_length` (10,000 characters; 200 with a pattern) and `pattern`, which the whole text matches;
        what is no error: up to `max_distance` edits, or as many as `tolerance`, a share of the right text's length,
        allows; with `partial`, credit for what is alike."""
        read = Declaration(field, (*COMMON, "max_length", "pattern", *VERDICT))
        checked = read.common()
        pattern = read.text("pattern", PATTERN_MAX)
        default = LENGTH_DEFAULT_WITH_PATTERN if pattern else LENGTH_DEFAULT
        checked["max_length"] = read.whole("max_length", 1, VALUE_BYTES_MAX, default=default)
        if pattern:
            if problem := pattern_problem(pattern, checked["max_length"]):
                read.refuse("pattern", problem)
            checked["pattern"] = pattern
        checked |= _verdict_options(read, checked["max_length"])
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueRefused("must be text")
        value = value.replace("\r\n", "\n").replace("\r", "\n").strip()
        if not value:
            return None
        if problem := text_problem(value):
            raise ValueRefused(problem)
        if len(value) > field["max_length"]:
            raise ValueRefused(f"must have at most {field['max_length']} characters")
        if bytes_of(value) > VALUE_BYTES_MAX:
            raise ValueRefused(f"must have at most {VALUE_BYTES_MAX} bytes")
        if "pattern" in field and not compiled(field["pattern"]).fullmatch(value):
            raise ValueRefused("does not have the form that is asked for")
        return value

    def score(self, field: Field, key: Any, value: Any) -> float:
        """1 for the same text, whatever its case and white space, and for one within the tolerance. Otherwise 0, or
        with `partial` the share of the longer text that is alike: 1 - edits / length."""
        wanted, given = normal_form(key), normal_form(value)
        longer = max(len(wanted), len(given))
        if wanted == given:
            return 1.0
        if longer > COMPARED_MAX or not any(field.get(option) for option in VERDICT):
            return 0.0
        free = max(field.get("max_distance", 0), field.get("tolerance", 0) * len(wanted) * (1 + ROUNDING))
        if not field.get("partial") and abs(len(wanted) - len(given)) > free:
            return 0.0
        edits = edit_distance(wanted, given)
        if edits <= free:
            return 1.0
        return 1 - edits / longer if field.get("partial") else 0.0

    def json_schema(self, field: Field) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string", "maxLength": field["max_length"]}
        return schema | ({"pattern": f"^(?:{field['pattern']})$"} if "pattern" in field else {})

    def parts(self, field: Field, value: Any) -> Iterable[TextPart]:
        return [TextPart(value)]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """The text that most answers share, whatever their case and white space; confidence is their share.

        It is returned in the spelling that was given most often. Ties, of texts and of spellings, go to the first in
        sorted order. `medoid` takes the text nearest to all by its words, `rover` goes word by word, with confidence
        and ties as they say; a text built of several words need not match the pattern.
        """
        used = method_used(method, self.methods)
        if used in METHODS:
            return _by_words(answers, used)
        by_task: defaultdict[int, list[str]] = defaultdict(list)
        for task, value in zip(answers.task, answers.value, strict=True):
            by_task[task].append(value)
        return FieldOutcome(used, [_most_frequent(task, by_task[task]) for task in sorted(by_task)])


def _verdict_options(read: Declaration, max_length: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if read.has("max_distance"):
        found["max_distance"] = read.whole("max_distance", 0, max_length - 1, default=0)
    if (share := read.number("tolerance")) is not None:
        if not 0 <= share < 1:
            read.refuse("tolerance", "must be at least 0 and less than 1: a share of the text's length")
        if "max_distance" in found:
            read.refuse("tolerance", "says the same as max_distance; give one of them")
        found["tolerance"] = share
    if read.has("partial"):
        found["partial"] = read.flag("partial", default=False)
    if any(found.values()) and max_length > LENGTH_DEFAULT:
        read.refuse("max_length", f"must be at most {LENGTH_DEFAULT} where texts are compared by their edits")
    return found


def _by_words(answers: AnswerTable, method: str) -> FieldOutcome:
    found = worded(answers, [words_of(value, "word") for value in answers.value], method)
    results = []
    for task, words in enumerate(found.words):
        origin = found.result.origin[task]
        if words is None or origin is None:
            continue
        nearest = answers.value[found.rows[origin]]
        # A vote on words may leave none: then the whole text that is nearest is better than nothing.
        value = (text_of(words, "word") or nearest) if method == "rover" else nearest
        results.append(
            FieldResult(task, value, float(found.result.confidence[task]), int(found.result.n_answers[task]))
        )
    return FieldOutcome(method, results, found.result.iterations, found.result.converged)


def _most_frequent(task: int, texts: list[str]) -> FieldResult:
    forms = [normal_form(text) for text in texts]
    form, count = _first_most_common(forms)
    spelling, _ = _first_most_common([text for text, its_form in zip(texts, forms, strict=True) if its_form == form])
    return FieldResult(task, spelling, count / len(texts), len(texts))


def _first_most_common(texts: list[str]) -> tuple[str, int]:
    return min(Counter(texts).items(), key=lambda item: (-item[1], item[0]))


ANSWER_TYPE = Text()

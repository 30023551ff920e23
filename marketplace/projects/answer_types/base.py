"""What every answer type can do, and the plain values that go in and out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from marketplace.projects.answer_types.parts import Part

Field = Mapping[str, Any]


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with a declaration: where (`labels[2].value`; empty for the field as a whole) and what."""

    path: str
    message: str


class FieldInvalid(Exception):
    """A declaration that cannot be used, with all that is wrong with it."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.path}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class ValueRefused(Exception):
    """A value that does not fit its field; `message` says why, to the person who gave it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class AnswerTable:
    """Answers to one field: row i says that `worker[i]` gave `value[i]` (as `clean` returns it) to task `task[i]`.

    Tasks are numbered 0 … n_tasks - 1; workers may be any hashable values. `accuracy` is how often each worker is
    expected to be right, for the methods that weigh votes by it; those it does not name are taken as strangers. `known`
    holds right values of tasks, cleaned, as those of gold: methods that learn about workers learn from them, and give
    them as the result.
    """

    task: Sequence[int]
    worker: Sequence[Any]
    value: Sequence[Any]
    n_tasks: int
    accuracy: Mapping[Any, float] = field(default_factory=dict)
    known: Mapping[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectSupport:
    """The share of a task's answers that have an object of the result: by what the field calls the same, and by a
    likeness to the object as it came out of at least 0.5 and of at least 0.75."""

    share: float
    at_50: float
    at_75: float


@dataclass(frozen=True)
class FieldResult:
    """What the answers to one task come to: the value, how sure it is (0 … 1) and from how many answers.

    `objects` are in the order of the value, for types whose values are lists of objects.
    """

    task: int
    value: Any
    confidence: float
    answers: int
    objects: tuple[ObjectSupport, ...] = ()


@dataclass(frozen=True)
class FieldOutcome:
    """Results by rising task, of those tasks that have answers, and how they came about.

    `method` is the one that was used, which need not be the one asked for. `iterations` is 0 for a method without any.
    """

    method: str
    results: list[FieldResult]
    iterations: int = 0
    converged: bool = True


class AnswerType(Protocol):
    """One way to answer.

    name        as interfaces declare it
    methods     names of the aggregation methods that apply; the first is used when another is asked for
    correct_at  an answer is correct when its score is at least this

    A type about one of the data fields has `of` besides: the types of data that the option `of` of its fields may name.
    """

    name: str
    methods: tuple[str, ...]
    correct_at: float

    def check_field(self, field: Field) -> dict[str, Any]:
        """The declaration with defaults filled in; checking it again changes nothing. Raises `FieldInvalid`."""
        ...

    def clean(self, field: Field, value: Any) -> Any:
        """The value in its one canonical JSON form, or None if it says nothing. Raises `ValueRefused`."""
        ...

    def score(self, field: Field, key: Any, value: Any) -> float:
        """How well a cleaned value agrees with a cleaned key: 0 … 1."""
        ...

    def json_schema(self, field: Field) -> dict[str, Any]:
        """JSON Schema of the values that `clean` accepts, as far as a schema can say it."""
        ...

    def parts(self, field: Field, value: Any) -> Iterable[Part]:
        """What a cleaned value says, for writers of files; in the order of the value."""
        ...

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """One value for each task that has answers. The same answers give the same outcome, whatever their order."""
        ...

"""What a report of agreement says, as values."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Said:
    """One answer that counts, marked clear: what was said by whom, under which version of the instructions, when."""

    task_id: int
    worker_id: int
    version: int
    given_at: datetime
    values: dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval over tasks; None where the answers do not determine it."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ClassAgreement:
    """Agreement about one label: how often it was given, how often another worker says it too where one does, and
    alpha of "this or another" where answers are one label each."""

    label: str
    given: int
    agreement: Figure
    alpha: Figure


@dataclass(frozen=True)
class Confusion:
    """Two labels that workers give where others give the other: in how many pairs of answers, which share of all pairs
    that are compared, and some of the tasks."""

    one: str
    other: str
    pairs: int
    share: float
    task_ids: tuple[int, ...]


@dataclass(frozen=True)
class WorkerAgreement:
    """A worker beside those who did the same tasks. `alpha` is what alpha would be if all disagreed as he does."""

    worker_id: int
    tasks: int
    agreement: float
    alpha: float | None


@dataclass(frozen=True)
class PairAgreement:
    """Two workers beside each other; `kappa` is Cohen's, for single labels."""

    one: int
    other: int
    tasks: int
    agreement: float
    kappa: float | None


@dataclass(frozen=True)
class PartAgreement:
    """Agreement among some of the answers: those under one version, or to tasks that were done in one period."""

    tasks: int
    answers: int
    agreement: Figure
    alpha: Figure
    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class FieldAgreement:
    """Agreement about one field. Figures are of tasks with two answers to it or more.

    level     how answers are compared: nominal, ordinal, interval, or by the type's own score
    tasks     how many tasks have two answers or more; `compared` of them were compared
    figures   by name: `agreement` (how often two answers to a task agree, by the type's own rule), `score` (how alike
              they are by it), `krippendorff`, for labels `fleiss` and `cohen`, and the measures of `marks.beside`
    words     those of Landis and Koch for alpha
    advice    what to do about it; empty where nothing is to be done
    """

    field: str
    type: str
    level: str
    answers: int
    tasks: int
    compared: int
    figures: dict[str, Figure]
    words: str
    advice: str
    classes: tuple[ClassAgreement, ...]
    confused: tuple[Confusion, ...]
    workers: tuple[WorkerAgreement, ...]
    pairs: tuple[PairAgreement, ...]
    versions: tuple[PartAgreement, ...]
    periods: tuple[PartAgreement, ...]

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        periods = [
            asdict(one) | {"since": one.since and one.since.isoformat(), "until": one.until and one.until.isoformat()}
            for one in self.periods
        ]
        return asdict(self) | {"periods": periods}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "FieldAgreement":
        """What `as_json` wrote."""

        def part(kept: dict[str, Any]) -> PartAgreement:
            times = {name: kept[name] and datetime.fromisoformat(kept[name]) for name in ("since", "until")}
            both = {name: Figure(**kept[name]) for name in ("agreement", "alpha")}
            return PartAgreement(**(kept | both | times))

        lists: dict[str, list[Any]] = {
            "classes": [
                ClassAgreement(**(one | {name: Figure(**one[name]) for name in ("agreement", "alpha")}))
                for one in stored["classes"]
            ],
            "confused": [Confusion(**(one | {"task_ids": tuple(one["task_ids"])})) for one in stored["confused"]],
            "workers": [WorkerAgreement(**one) for one in stored["workers"]],
            "pairs": [PairAgreement(**one) for one in stored["pairs"]],
            "versions": [part(one) for one in stored["versions"]],
            "periods": [part(one) for one in stored["periods"]],
        }
        figures = {name: Figure(**one) for name, one in stored["figures"].items()}
        return cls(**(stored | {"figures": figures} | {name: tuple(found) for name, found in lists.items()}))

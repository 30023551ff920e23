"""Reads tasks of Label Studio: their data, annotations and predictions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.projects.interface import ValuesInvalid
from marketplace.projects.label_studio.configs import Config
from marketplace.projects.label_studio.values import read_values


@dataclass(frozen=True)
class Given:
    """What one annotation or prediction says, by answer field.

    by       who said it: the id or address of the annotator, or the version of the model
    score    of a prediction, 0 … 1
    truth    that it is marked as the right answer
    """

    values: Mapping[str, Any]
    by: str = ""
    score: float | None = None
    truth: bool = False


@dataclass(frozen=True)
class Task:
    """A task as items of ours are imported. `errors` says what of it could not be kept, and where."""

    external_id: str
    data: Mapping[str, Any]
    annotations: tuple[Given, ...]
    predictions: tuple[Given, ...]
    errors: tuple[dict[str, str], ...]


def read_tasks(config: Config, tasks: Iterable[Any]) -> Iterator[Task]:
    """The tasks in their order, one at a time. One without an id has its place, from 1 on.

    What an annotator cancelled says nothing. Data that the config does not show is left out, and said in `errors`.
    """
    shown = {field["name"] for field in config.interface["data"]}
    for number, raw in enumerate(tasks, 1):
        errors: list[dict[str, str]] = []
        if not isinstance(raw, Mapping):
            yield Task(str(number), {}, (), (), ({"field": "", "message": "must be an object"},))
            continue
        # A task may also be its data alone.
        data = raw.get("data", {} if "annotations" in raw or "predictions" in raw else raw)
        if not isinstance(data, Mapping):
            errors.append({"field": "data", "message": "must be an object"})
            data = {}
        errors += [
            {"field": f"data.{name}"[:200], "message": "is shown by no tag of the config and was left out"}
            for name in data
            if name not in shown
        ]
        kept = {name: value for name, value in data.items() if name in shown}
        external_id = str(raw["id"]) if "data" in raw and raw.get("id") is not None else str(number)
        annotations = tuple(_given(config, raw, "annotations", kept, errors))
        predictions = tuple(_given(config, raw, "predictions", kept, errors))
        yield Task(external_id, kept, annotations, predictions, tuple(errors))


def _given(
    config: Config, raw: Mapping[str, Any], part: str, data: Mapping[str, Any], errors: list[dict[str, str]]
) -> Iterator[Given]:
    found = raw.get(part) or []
    if not isinstance(found, list):
        errors.append({"field": part, "message": "must be a list"})
        return
    for at, one in enumerate(found):
        if not isinstance(one, Mapping):
            errors.append({"field": f"{part}[{at}]", "message": "must be an object"})
            continue
        if one.get("was_cancelled"):
            continue
        try:
            values = read_values(config, one.get("result"), data)
        except ValuesInvalid as invalid:
            errors += [
                {"field": f"{part}[{at}].{error['field']}", "message": error["message"]} for error in invalid.errors
            ]
            continue
        yield Given(values, _by(one, part), _score(one), bool(one.get("ground_truth")))


def _by(one: Mapping[str, Any], part: str) -> str:
    by = one.get("completed_by") if part == "annotations" else one.get("model_version")
    if isinstance(by, Mapping):
        by = by.get("id") or by.get("email")
    return "" if by is None else str(by)


def _score(one: Mapping[str, Any]) -> float | None:
    score = one.get("score")
    return float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None

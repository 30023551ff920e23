"""Tasks of Label Studio as rows of an import: what is shown, and the right answer where one is marked as such."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.projects.interface import Interface, ValuesInvalid
from marketplace.projects.label_studio.configs import Config
from marketplace.projects.label_studio.values import read_values

# A mask of one task's key is drawn in memory: so many pixels, of all its masks, at most.
PAINTED_MAX = 2**24


@dataclass(frozen=True)
class Read:
    """A task that was read.

    fields        external_id, data, and gold where an annotation is the ground truth
    predictions   how many there are; none is taken
    annotations   how many there are that are not the ground truth; none is taken
    faults        what is wrong, each as field and message; then the rest is of no use
    """

    fields: dict[str, Any]
    predictions: int
    annotations: int
    faults: tuple[tuple[str, str], ...]


def read_task(interface: Interface, raw: Mapping[str, Any], number: int) -> Read:
    """The task as a row. Controls are known by the names of the answer fields, as `read_config` gives them.

    A task may also be its data alone. One without an id has its number. Data is neither checked nor left out.
    """
    faults: list[tuple[str, str]] = []
    whole = "data" in raw or "annotations" in raw or "predictions" in raw
    data = raw.get("data") if whole else raw
    if not isinstance(data, Mapping):
        faults.append(("data", "must be an object"))
        data = {}
    fields: dict[str, Any] = {"external_id": str(number), "data": dict(data)}
    given = raw.get("id") if whole else None
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int | str):
            faults.append(("id", "must be a whole number or a text"))
        fields["external_id"] = str(given)
    annotations, predictions = (_listed(raw, part, faults) if whole else [] for part in ("annotations", "predictions"))
    truths = [
        (at, one) for at, one in enumerate(annotations) if one.get("ground_truth") and not one.get("was_cancelled")
    ]
    if len(truths) > 1:
        faults.append((f"annotations[{truths[1][0]}]", "is a second ground truth of this task"))
    elif truths and not faults:
        at, truth = truths[0]
        try:
            fields["gold"] = _values(interface, truth.get("result"), data)
        except ValuesInvalid as invalid:
            faults += [(f"annotations[{at}].{error['field']}", error["message"]) for error in invalid.errors]
    return Read(fields, len(predictions), len(annotations) - len(truths), tuple(faults))


def _listed(raw: Mapping[str, Any], part: str, faults: list[tuple[str, str]]) -> list[Mapping[str, Any]]:
    found = raw.get(part) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        faults.append((part, "must be a list of objects"))
        return []
    return found


def _values(interface: Interface, results: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    config = Config(dict(interface), {field["name"]: field["name"] for field in interface["answer"]})
    if isinstance(results, list):
        _require_small(results)
        results = _without_marks(interface, results)
    return read_values(config, results, data)


def _require_small(results: list[Any]) -> None:
    painted = 0
    for at, one in enumerate(results):
        if isinstance(one, Mapping) and one.get("type") == "brushlabels":
            width, height = one.get("original_width"), one.get("original_height")
            painted += width * height if isinstance(width, int) and isinstance(height, int) else 0
            if painted > PAINTED_MAX:
                message = f"has, with the masks before it, more than {PAINTED_MAX} pixels"
                raise ValuesInvalid([{"field": f"result[{at}]", "message": message}])


def _without_marks(interface: Interface, results: list[Any]) -> list[Any]:
    """Without the labels that only mark where something is said. They are of a control that has no field of its own,
    and of the same region as the text, which says the place too."""
    names = {field["name"]: field["type"] for field in interface["answer"]}
    said = {
        str(one.get("id"))
        for one in results
        if isinstance(one, Mapping) and names.get(str(one.get("from_name"))) == "transcription"
    }
    return [
        one
        for one in results
        if not (
            isinstance(one, Mapping)
            and one.get("type") == "labels"
            and str(one.get("from_name")) not in names
            and str(one.get("id")) in said
        )
    ]

"""What shapes a data set whatever its format: which items, with or without single answers, in which splits."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from marketplace.common.errors import Unprocessable
from marketplace.results.splits import WHOLE

if TYPE_CHECKING:
    from marketplace.results.models import Dataset

SPLITS_MAX = 10
SPLIT_NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")
SEED_MAX = 100


@dataclass(frozen=True)
class Plan:
    """Checked and in whole numbers.

    answers        whether items come with the single answers
    gold           whether the requester's gold items are in it
    splits         name → ten-thousandths, 10,000 in all; None for no splits
    seed           what the draw of the splits begins with
    stratify       the answer field whose labels are spread evenly over the splits
    require_valid  whether a finding of the validation report stops it
    """

    answers: bool = False
    gold: bool = True
    splits: dict[str, int] | None = None
    seed: str = ""
    stratify: str | None = None
    require_valid: bool = False

    @classmethod
    def of(cls, it: "Dataset") -> "Plan":
        """The plan of a version."""
        return cls(**it.plan)

    @classmethod
    def read(cls, asked: Mapping[str, Any], *, interface: Mapping[str, Any], answers: bool) -> "Plan":
        """The plan that a request asks for; `splits` there are shares that add up to 1. By default the splits are
        stratified by the first answer field with labels. `answers`: the format needs them.

        Raises `Unprocessable` with all that is wrong.
        """
        errors: list[dict[str, str]] = []
        shares = asked.get("splits")
        splits = None if shares is None else _splits(shares, errors)
        labelled = [field["name"] for field in interface["answer"] if field.get("labels") or field.get("tree")]
        stratify = asked.get("stratify")
        if splits is None and (stratify is not None or asked.get("seed")):
            errors.append({"field": "splits", "message": "is required with seed and stratify"})
        if stratify is not None and stratify not in labelled:
            known = ", ".join(labelled) or "none here"
            errors.append({"field": "stratify", "message": f"must be an answer field with labels: {known}"})
        if errors:
            raise Unprocessable("The data set cannot be made so.", errors=errors)
        return cls(
            answers=answers or bool(asked.get("answers")),
            gold=bool(asked.get("gold", True)),
            splits=splits,
            seed=asked.get("seed") or "",
            stratify=stratify or (labelled[0] if splits and labelled else None),
            require_valid=bool(asked.get("require_valid")),
        )

    def told(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def _splits(shares: Mapping[str, Any], errors: list[dict[str, str]]) -> dict[str, int]:
    if not 2 <= len(shares) <= SPLITS_MAX:
        errors.append({"field": "splits", "message": f"must name 2 to {SPLITS_MAX} splits"})
        return {}
    found: dict[str, int] = {}
    for name, share in shares.items():
        if not SPLIT_NAME.fullmatch(name):
            message = "must be named by at most 20 small letters, digits and underscores, beginning with a letter"
            errors.append({"field": f"splits.{name[:64]}", "message": message})
        elif isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            errors.append({"field": f"splits.{name}", "message": "must be a share between 0 and 1"})
        else:
            found[name] = round(share * WHOLE)
    if not errors and (sum(found.values()) != WHOLE or min(found.values()) < 1):
        errors.append({"field": "splits", "message": "must add up to 1, in steps of one ten-thousandth"})
    return found

"""What readers of written policies share: errors that name their place, and what a value of JSON is."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

ERRORS_MAX = 100
PATH_MAX = 300
Error = dict[str, str]


@dataclass
class Form:
    """Reads something that was written and notes what is wrong with it, each error with its place."""

    errors: list[Error] = field(default_factory=list, kw_only=True)

    def wrong(self, path: str, message: str) -> None:
        """Note an error; beyond a hundred nobody reads them."""
        if len(self.errors) < ERRORS_MAX:
            self.errors.append({"field": path[:PATH_MAX], "message": message})

    def is_known(self, given: Iterable[str], path: str, names: tuple[str, ...]) -> bool:
        """Whether there are no names but these."""
        unknown = [name for name in given if name not in names]
        for name in unknown:
            self.wrong(f"{path}.{name}", f"is not known; there are {', '.join(names)}")
        return not unknown

    def is_one_of(self, given: Any, path: str, names: tuple[str, ...]) -> bool:
        """Whether it is one of these names."""
        if isinstance(given, str) and given in names:
            return True
        self.wrong(path, f"must be one of {', '.join(names)}")
        return False

    def is_list(self, given: Any, path: str, most: int) -> bool:
        """Whether it is a list of 1 to `most` parts."""
        if isinstance(given, list) and 1 <= len(given) <= most:
            return True
        self.wrong(path, f"must be a list of 1 to {most}")
        return False


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether a value of JSON is a whole number from `least` to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_count(value: Any) -> bool:
    """Whether a value of JSON is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_id(value: Any) -> bool:
    """Whether a value of JSON is an id in its usual spelling: a stored reference is found again by its text."""
    try:
        return str(UUID(value)) == value
    except (ValueError, TypeError, AttributeError):
        return False

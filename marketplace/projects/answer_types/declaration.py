"""Reads the declaration of a field option by option and collects all that is wrong, so that it can be said at once."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from marketplace.projects.answer_types.base import FieldError, FieldInvalid
from marketplace.projects.answer_types.plain import text_problem

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
COMMON = ("name", "type", "title", "help", "required", "show_if")
TITLE_MAX = 200
HELP_MAX = 2_000
LIST_MAX = 50
ENTRY_MAX = 1_000
CONDITION = "must have field, the name of an earlier answer field, and one of is, any_of, and answered: true"
CONDITION_VALUES_MAX = 500
# Numbers up to here are exact both in JSON readers that know only doubles and in the database.
NUMBER_MAX = 2**53 - 1


class Declaration:
    """A field's declaration while it is read. Options that are absent or wrong read as their default."""

    def __init__(self, raw: Mapping[str, Any], known: Iterable[str], *, path: str = "") -> None:
        self._raw = raw
        self._path = path
        self.errors: list[FieldError] = []
        known = set(known)
        for key in raw:
            if key not in known:
                self.refuse(str(key)[:64], "is not known")

    def refuse(self, option: str, message: str) -> None:
        """Note that an option is wrong."""
        self.errors.append(FieldError(f"{self._path}{option}", message))

    def has(self, option: str) -> bool:
        """Whether the option is given; null is the same as absent."""
        return self._raw.get(option) is not None

    def common(self) -> dict[str, Any]:
        """Name, type, title, help and required, which all fields have; and `show_if`, of which the form is checked here
        and the meaning where all fields are known."""
        name = self._raw.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.refuse("name", "must be 1 to 64 letters, digits and underscores, beginning with a letter")
            name = ""
        checked = {"name": name, "type": self._raw.get("type"), "title": self.text("title", TITLE_MAX) or name}
        if help_text := self.text("help", HELP_MAX):
            checked["help"] = help_text
        checked["required"] = self.flag("required", default=True)
        return checked | ({"show_if": self._condition()} if self.has("show_if") else {})

    def flag(self, option: str, *, default: bool) -> bool:
        """True or false."""
        value = self._raw.get(option)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.refuse(option, "must be true or false")
            return default
        return value

    def text(self, option: str, max_length: int, *, required: bool = False) -> str:
        """A text without spaces around it; the empty text if absent."""
        value = self._raw.get(option)
        if value is None or value == "":
            if required:
                self.refuse(option, "is required")
            return ""
        return self._checked(option, value, max_length)

    def texts(self, option: str) -> list[str]:
        """A list of texts; empty if absent."""
        value = self._raw.get(option)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > LIST_MAX:
            self.refuse(option, f"must be a list of at most {LIST_MAX} texts")
            return []
        return [self._checked(f"{option}[{at}]", entry, ENTRY_MAX) for at, entry in enumerate(value)]

    def whole(self, option: str, low: int, high: int, *, default: int) -> int:
        """A whole number between two bounds, both included."""
        value = self._raw.get(option)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(option, f"must be a whole number from {low} to {high}")
            return default
        return value

    def number(self, option: str) -> int | float | None:
        """A finite number."""
        value = self._raw.get(option)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= NUMBER_MAX:
            self.refuse(option, f"must be a number between -{NUMBER_MAX} and {NUMBER_MAX}")
            return None
        return int(value) if math.floor(value) == value else value

    def number_between(self, option: str, low: float, high: float, unit: str = "") -> int | float:
        """A number within the bounds, which belong to it; 0 if it is not given."""
        number = self.number(option)
        if number is None:
            return 0
        if not low <= number <= high:
            self.refuse(option, f"must be from {low:g} to {high:g}" + (f" {unit}" if unit else ""))
        return number

    def raise_errors(self) -> None:
        """End the reading: raise `FieldInvalid` if anything was wrong."""
        if self.errors:
            raise FieldInvalid(self.errors)

    def _condition(self) -> dict[str, Any]:
        raw = self._raw["show_if"]
        if not isinstance(raw, Mapping) or len(raw) != 2 or not isinstance(raw.get("field"), str):
            self.refuse("show_if", CONDITION)
            return {}
        if "any_of" in raw and not (
            isinstance(raw["any_of"], list) and 1 <= len(raw["any_of"]) <= CONDITION_VALUES_MAX
        ):
            self.refuse("show_if.any_of", f"must be a list of 1 to {CONDITION_VALUES_MAX} values")
        elif raw.keys().isdisjoint(("is", "any_of", "answered")) or raw.get("answered", True) is not True:
            self.refuse("show_if", CONDITION)
        return dict(raw)

    def _checked(self, path: str, value: Any, max_length: int) -> str:
        if not isinstance(value, str):
            self.refuse(path, "must be text")
            return ""
        text = value.strip()
        problem = text_problem(text)
        if problem is None and not 1 <= len(text) <= max_length:
            problem = f"must have 1 to {max_length} characters"
        if problem is not None:
            self.refuse(path, problem)
        return text

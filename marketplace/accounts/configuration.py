"""What a site is set to by its environment, and what differs from one start to the next. Pure."""

from dataclasses import dataclass
from typing import Any

# By group and name; values as JSON has them.
Settings = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Change:
    """One value that became another; None where there was or is none."""

    group: str
    name: str
    before: Any
    after: Any


def changes(before: Settings, after: Settings) -> list[Change]:
    """What differs, in order of group and name.

    >>> changes({"terms": {"fee": 1, "appeal": 2}}, {"terms": {"fee": 3, "appeal": 2}})
    [Change(group='terms', name='fee', before=1, after=3)]
    """
    names = sorted({(group, name) for whole in (before, after) for group, values in whole.items() for name in values})
    return [
        Change(group, name, was, now)
        for group, name in names
        if (was := before.get(group, {}).get(name)) != (now := after.get(group, {}).get(name))
    ]

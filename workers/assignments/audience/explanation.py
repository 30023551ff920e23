"""How many workers an audience lets in, and which of its conditions keep the others out.

The requester must not learn from the counts what a single worker's profile says (R43). He can pick people by lists,
skills and past work that he knows, so what is counted of profiles (country, languages, device, content, age of the
account) is counted over everybody, his own organisation's members too, and each attribute apart from the others and
from whom he picked: where an audience asks for several, they are put together as if they had nothing to do with each
other, and the result is called an estimate. So no question says two things about the same people. Counts below five, or
within five of all, are not told; for one attribute a patient requester finds them out by differences, as from any table
of how many workers there are in which country.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.batches.audience import AllOf, Leaf, Node, Not, leaves_of, tree_of
from marketplace.common.database import rows
from workers.assignments.audience.conditions import MOMENT, PROFILE, STANDING, conjuncts, sql_of
from workers.assignments.audience.words import names_in, words_of

SMALL = 5
# Rarer combinations of answers are left out of an estimate: it stays one, and its cost is bounded.
PATTERNS_MAX = 200
Truth = bool | None
Pattern = tuple[Truth, ...]


@dataclass(frozen=True)
class Excluded:
    """One condition, and how many workers it keeps out: with others, and alone. None is fewer than five."""

    path: str
    rule: str
    words: str
    workers: int | None
    only_by_this: int | None


@dataclass(frozen=True)
class Explanation:
    """`qualify` of `of` workers may enter; None is fewer than five. `estimate`: profiles were counted apart."""

    qualify: int | None
    of: int
    estimate: bool
    excluded_by: list[Excluded]
    text: str


def explain(audience: dict[str, Any], *, project_id: int) -> Explanation:
    """What the audience does to the market of now: every worker whose account is open, linked accounts once.
    One statement over all workers."""
    tree = tree_of(audience)
    leaves = list(leaves_of(tree))
    apart = {name: [leaf for leaf in leaves if _class_of(leaf) == name] for name in _CLASSES}
    counted = _count(apart, project_id)
    total = sum(counted["picked"].values())
    parts = conjuncts(tree)
    qualify = 0.0
    without = [0.0] * len(parts)
    alone = [0.0] * len(parts)
    for truths, weight in _combined(apart, counted, total):
        failed = [at for at, part in enumerate(parts) if _holds(part, truths) is False]
        for at in failed:
            without[at] += weight
        if not failed:
            qualify += weight
        elif len(failed) == 1:
            alone[failed[0]] += weight
    names = names_in(tree, for_requester=True) if tree is not None else {}
    excluded = [
        Excluded(
            path=part.path,
            rule=_rule(part),
            words=words_of(part, names),
            workers=_told(without[at], total),
            only_by_this=_told(alone[at], total),
        )
        for at, part in sorted(enumerate(parts), key=lambda one: -without[one[0]])
    ]
    estimate = sum(map(bool, apart.values())) > 1
    told = _told(qualify, total)
    return Explanation(told, total, estimate, excluded, _text(told, total, estimate, excluded))


# Attributes that are counted apart; `picked` is all that the requester knows of people himself.
_CLASSES = ("country", "languages", "device", "content", "account_age", "picked")
# What SQL's `grouping` says of the set that groups by one class alone: a bit for each class that it does not group by.
_ALL = (1 << len(_CLASSES)) - 1
_GROUPED = {_ALL ^ (1 << (len(_CLASSES) - 1 - at)): name for at, name in enumerate(_CLASSES)}


def _class_of(leaf: Leaf) -> str:
    return leaf.name if leaf.name in PROFILE else "picked"


def _count(apart: Mapping[str, list[Leaf]], project_id: int) -> dict[str, dict[Pattern, int]]:
    """How many workers answer the conditions of each class in which way: one pass over the workers."""
    columns, params = [], []
    for name in _CLASSES:
        asked = [sql_of(leaf) for leaf in apart[name]]
        text = " || ".join(f"coalesce({one.text}::int::text, '-')" for one in asked) or "''::text"
        columns.append(f"{text} AS {name}")
        params += [param for one in asked for param in one.params]
    named = ", ".join(_CLASSES)
    found = rows(
        f"{MOMENT} SELECT grouping({named}), coalesce({named}), count(*) FROM ("
        f"SELECT {', '.join(columns)} FROM profiles_worker w {STANDING}"
        " JOIN accounts_user u ON u.id = w.user_id AND u.is_active WHERE w.person_id = w.id OFFSET 0) asked"
        f" GROUP BY GROUPING SETS ({', '.join(f'({name})' for name in _CLASSES)})",
        [*params, project_id],
    )
    counted: dict[str, dict[Pattern, int]] = {name: {} for name in _CLASSES}
    for grouping, text, count in found:
        counted[_GROUPED[grouping]][tuple({"1": True, "0": False, "-": None}[letter] for letter in text)] = count
    return counted


def _combined(
    apart: Mapping[str, list[Leaf]], counted: Mapping[str, Mapping[Pattern, int]], total: int
) -> list[tuple[dict[str, Truth], float]]:
    """Each way to answer all conditions, by their paths, with how many workers answer so."""
    if not total:
        return []
    several = [name for name in _CLASSES if apart[name]]
    most = int(PATTERNS_MAX ** (2 / len(several))) if len(several) > 1 else None
    ways: list[tuple[dict[str, Truth], float]] = [({}, float(total))]
    for name in several:
        found = sorted(counted[name].items(), key=lambda one: -one[1])[:most]
        kept = sum(count for _, count in found)
        ways = [
            (
                truths | {leaf.path: truth for leaf, truth in zip(apart[name], pattern, strict=True)},
                weight * count / kept,
            )
            for truths, weight in ways
            for pattern, count in found
        ]
    return ways


def _holds(node: Node, truths: Mapping[str, Truth]) -> Truth:
    """The three-valued truth of a node, as SQL has it."""
    if isinstance(node, Leaf):
        return truths[node.path]
    if isinstance(node, Not):
        inner = _holds(node.part, truths)
        return None if inner is None else not inner
    parts = [_holds(part, truths) for part in node.parts]
    decisive = not isinstance(node, AllOf)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _told(count: float, total: int) -> int | None:
    near = round(count)
    if near < SMALL:
        return None
    return total if total - near < SMALL else near


def _rule(part: Node) -> str:
    names = list(dict.fromkeys(leaf.name for leaf in leaves_of(part)))
    return " or ".join(names)


def _text(told: int | None, total: int, estimate: bool, excluded: list[Excluded]) -> str:
    many = f"Fewer than {SMALL}" if told is None else f"{'About ' if estimate else ''}{told}"
    text = f"{many} of {total} workers qualify"
    if excluded and excluded[0].workers is not None:
        text += f"; most are excluded by {excluded[0].rule.replace('_', ' ')}"
    return f"{text}."

"""The form of an audience: a tree of conditions on workers, stored with the batch and evaluated by assignments.

`{}` is everybody. `{"all": [...]}`, `{"any": [...]}` and `{"not": ...}` hold conditions; a condition is an object with
exactly one name:

    {"country": {"in": ["DE", "AT"]}}                        or {"not_in": [...]}
    {"languages": {"any": ["de", "fr"]}}                     or {"all": [...]}; `de` stands for `de-AT` too
    {"device": {"in": ["phone", "tablet", "desktop"]}}
    {"content": {"agrees": ["violence", "medical"]}}         who agreed to be shown all of it although it may disturb
    {"account_age": {"min_days": 30, "max_days": 365}}
    {"skill": {"id": "…", "min": 0.8, "max": 1}}             a skill of the requester's, within bounds if any are given
    {"qualification": {"id": "…"}}
    {"score": {"min": 0.7, "max": 1, "min_evidence": 10}}    the standing in this project that the worker is shown
    {"list": {"id": "…", "member": true}}
    {"batch": {"id": "…", "min_accepted": 5}}                has taken work there; or has so many answers accepted

Every error names its place, as in `audience.all[1].country.in[0]`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.batches.forms import Error, Form, is_count, is_id, is_number
from marketplace.batches.models import Batch
from workers.profiles.models import COUNTRY, LANGUAGE, Content, Device, SkillKind
from workers.profiles.queries import lists_of, skills_of

DEPTH_MAX = 5
LEAVES_MAX = 30
PARTS_MAX = 20
COUNTRIES_MAX = 250
LANGUAGES_MAX = 30
DAYS_MAX = 36_500
EVIDENCE_MAX = 1_000
ACCEPTED_MAX = 1_000


@dataclass(frozen=True)
class Leaf:
    """One condition, as `country`, with its terms as they were written."""

    path: str
    name: str
    terms: dict[str, Any]


@dataclass(frozen=True)
class AllOf:
    """Each of the parts holds."""

    path: str
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of the parts holds."""

    path: str
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    path: str
    part: "Node"


Node = Leaf | AllOf | AnyOf | Not


def tree_of(audience: dict[str, Any], path: str = "audience") -> Node | None:
    """The conditions of an audience that was found to be right; None is everybody."""
    if not audience:
        return None
    name, inside = next(iter(audience.items()))
    here = f"{path}.{name}"
    if name in ("all", "any"):
        parts = tuple(node for at, one in enumerate(inside) if (node := tree_of(one, f"{here}[{at}]")) is not None)
        return AllOf(here, parts) if name == "all" else AnyOf(here, parts)
    if name == "not":
        part = tree_of(inside, here)
        assert part is not None
        return Not(here, part)
    return Leaf(here, name, inside)


def leaves_of(node: Node | None) -> Iterator[Leaf]:
    """The conditions of a tree from left to right."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Not):
        yield from leaves_of(node.part)
    elif node is not None:
        for part in node.parts:
            yield from leaves_of(part)


def together(audience: dict[str, Any], condition: dict[str, Any]) -> dict[str, Any]:
    """An audience for which one more condition holds.

    >>> together({"all": [{"country": {"in": ["DE"]}}]}, {"not": {"content": {"agrees": ["violence"]}}})
    {'all': [{'country': {'in': ['DE']}}, {'not': {'content': {'agrees': ['violence']}}}]}
    >>> together({}, {"country": {"in": ["DE"]}})
    {'country': {'in': ['DE']}}
    """
    if not audience or audience == condition:
        return condition
    parts = audience.get("all", [audience])
    return audience if condition in parts else {"all": [*parts, condition]}


def audience_errors(audience: Any, *, requester_id: int) -> list[Error]:
    """What is wrong with an audience, its references included: they must be the requester's own."""
    form = _Audience()
    form.audience(audience)
    return form.errors or _foreign(tree_of(audience), requester_id)


def _foreign(tree: Node | None, requester_id: int) -> list[Error]:
    named: dict[str, list[tuple[UUID, str]]] = {"skill": [], "qualification": [], "list": [], "batch": []}
    for leaf in leaves_of(tree):
        if leaf.name in named:
            named[leaf.name].append((UUID(leaf.terms["id"]), f"{leaf.path}.id"))
    known: dict[str, Callable[[set[UUID]], Any]] = {
        "skill": lambda ids: skills_of(requester_id).filter(kind=SkillKind.SKILL, public_id__in=ids),
        "qualification": lambda ids: skills_of(requester_id).filter(kind=SkillKind.QUALIFICATION, public_id__in=ids),
        "list": lambda ids: lists_of(requester_id).filter(public_id__in=ids),
        "batch": lambda ids: Batch.objects.filter(requester_id=requester_id, public_id__in=ids),
    }
    errors = []
    for name, references in named.items():
        if not references:
            continue
        found = set(known[name]({public_id for public_id, _ in references}).values_list("public_id", flat=True))
        errors += [
            {"field": path, "message": f"is no {name} of your organisation"}
            for public_id, path in references
            if public_id not in found
        ]
    return errors


@dataclass
class _Audience(Form):
    """Reads an audience and notes what is wrong with it."""

    leaves: int = 0

    def audience(self, given: Any) -> None:
        if not isinstance(given, dict):
            self.wrong("audience", "must be an object")
        elif given:
            self._node(given, "audience", depth=1)
        if self.leaves > LEAVES_MAX:
            self.wrong("audience", f"must have at most {LEAVES_MAX} conditions")

    def _node(self, given: Any, path: str, depth: int) -> None:
        if not isinstance(given, dict) or len(given) != 1:
            self.wrong(path, "must be an object with exactly one name")
            return
        if depth > DEPTH_MAX + 1:
            self.wrong(path, f"is nested more than {DEPTH_MAX} deep")
            return
        name, inside = next(iter(given.items()))
        path = f"{path}.{name}"
        if name in ("all", "any"):
            if self.is_list(inside, path, PARTS_MAX):
                for at, part in enumerate(inside):
                    self._node(part, f"{path}[{at}]", depth + 1)
        elif name == "not":
            self._node(inside, path, depth + 1)
        elif name in self._leaf_readers:
            self.leaves += 1
            if isinstance(inside, dict):
                self._leaf_readers[name](self, inside, path)
            else:
                self.wrong(path, "must be an object")
        else:
            self.wrong(path, f"is not known; there are all, any, not, {', '.join(self._leaf_readers)}")

    def _country(self, terms: dict[str, Any], path: str) -> None:
        self._one_list(
            terms,
            path,
            ("in", "not_in"),
            COUNTRIES_MAX,
            re.compile(COUNTRY),
            "must be a country as DE, in two capitals",
        )

    def _languages(self, terms: dict[str, Any], path: str) -> None:
        self._one_list(
            terms, path, ("any", "all"), LANGUAGES_MAX, re.compile(LANGUAGE), "must be a language tag as de or pt-BR"
        )

    def _device(self, terms: dict[str, Any], path: str) -> None:
        kinds = re.compile("|".join(Device.values))
        self._one_list(terms, path, ("in",), len(Device.values), kinds, f"must be one of {', '.join(Device.values)}")

    def _content(self, terms: dict[str, Any], path: str) -> None:
        kinds = re.compile("|".join(Content.values))
        self._one_list(
            terms, path, ("agrees",), len(Content.values), kinds, f"must be one of {', '.join(Content.values)}"
        )

    def _account_age(self, terms: dict[str, Any], path: str) -> None:
        self.is_known(terms, path, ("min_days", "max_days"))
        self._bounds(terms, path, "min_days", "max_days", DAYS_MAX, "must be a number of days", whole=True)

    def _skill(self, terms: dict[str, Any], path: str) -> None:
        self.is_known(terms, path, ("id", "min", "max"))
        self._id(terms, path)
        self._bounds(terms, path, "min", "max", 1, "must be a value", whole=False, needed=False)

    def _qualification(self, terms: dict[str, Any], path: str) -> None:
        self.is_known(terms, path, ("id",))
        self._id(terms, path)

    def _score(self, terms: dict[str, Any], path: str) -> None:
        self.is_known(terms, path, ("min", "max", "min_evidence"))
        evidence = terms.get("min_evidence", 0)
        if not (is_count(evidence) and evidence <= EVIDENCE_MAX):
            self.wrong(f"{path}.min_evidence", f"must be a number of verdicts from 0 to {EVIDENCE_MAX}")
        needed = "min_evidence" not in terms
        self._bounds(terms, path, "min", "max", 1, "must be a score", whole=False, needed=needed)

    def _list(self, terms: dict[str, Any], path: str) -> None:
        self.is_known(terms, path, ("id", "member"))
        self._id(terms, path)
        if not isinstance(terms.get("member"), bool):
            self.wrong(f"{path}.member", "must be true or false")

    def _batch(self, terms: dict[str, Any], path: str) -> None:
        self.is_known(terms, path, ("id", "min_accepted"))
        self._id(terms, path)
        least = terms.get("min_accepted", 1)
        if not (is_count(least) and 1 <= least <= ACCEPTED_MAX):
            self.wrong(f"{path}.min_accepted", f"must be a number of answers from 1 to {ACCEPTED_MAX}")

    _leaf_readers = {
        "country": _country,
        "languages": _languages,
        "device": _device,
        "content": _content,
        "account_age": _account_age,
        "skill": _skill,
        "qualification": _qualification,
        "score": _score,
        "list": _list,
        "batch": _batch,
    }

    def _one_list(
        self, terms: dict[str, Any], path: str, names: tuple[str, ...], most: int, form: re.Pattern[str], message: str
    ) -> None:
        self.is_known(terms, path, names)
        given = [name for name in names if name in terms]
        if len(given) != 1:
            self.wrong(path, f"must have {' or '.join(names)}")
        for name in given:
            if self.is_list(terms[name], f"{path}.{name}", most):
                for at, text in enumerate(terms[name]):
                    if not (isinstance(text, str) and len(text) <= 35 and form.fullmatch(text)):
                        self.wrong(f"{path}.{name}[{at}]", message)

    def _bounds(
        self,
        terms: dict[str, Any],
        path: str,
        low: str,
        high: str,
        most: int,
        message: str,
        *,
        whole: bool,
        needed: bool = True,
    ) -> None:
        fits = is_count if whole else is_number
        given = [name for name in (low, high) if name in terms]
        bad = [name for name in given if not (fits(terms[name]) and 0 <= terms[name] <= most)]
        for name in bad:
            self.wrong(f"{path}.{name}", f"{message} from 0 to {most}")
        if needed and not given:
            self.wrong(path, f"must have {low} or {high}")
        if len(given) == 2 and not bad and terms[low] > terms[high]:
            self.wrong(f"{path}.{low}", f"must not exceed {high}")

    def _id(self, terms: dict[str, Any], path: str) -> None:
        if not is_id(terms.get("id")):
            self.wrong(f"{path}.id", "must be an id")

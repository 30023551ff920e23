"""An audience in words, to be read after "It asks for".

Workers are told no name of a list or batch: it might say what a requester thinks of people.
"""

from collections.abc import Mapping
from typing import Any

from marketplace.batches.audience import AllOf, Leaf, Node, Not, leaves_of
from marketplace.common.database import rows

Names = Mapping[str, str]
_NAMED = {
    "skill": "profiles_skill",
    "qualification": "profiles_skill",
    "list": "profiles_workerlist",
    "batch": "batches_batch",
}
_FOR_WORKERS = ("skill", "qualification")


def names_in(node: Node, *, for_requester: bool) -> Names:
    """The names, by id, of what the tree refers to: all for the requester, skills and qualifications for a worker."""
    ids: dict[str, list[str]] = {}
    for leaf in leaves_of(node):
        if leaf.name in _NAMED and (for_requester or leaf.name in _FOR_WORKERS):
            ids.setdefault(_NAMED[leaf.name], []).append(leaf.terms["id"])
    found: dict[str, str] = {}
    for table, named in ids.items():
        found.update(rows(f"SELECT public_id::text, name FROM {table} WHERE public_id = ANY (%s::uuid[])", [named]))
    return found


def words_of(node: Node, names: Names, *, negated: bool = False) -> str:
    """What the node asks for, as `a country among DE, AT`."""
    if isinstance(node, Not):
        return words_of(node.part, names, negated=not negated)
    if isinstance(node, Leaf):
        return _LEAVES[node.name](node.terms, names, negated)
    parts = [words_of(part, names, negated=negated) for part in node.parts]
    if len(parts) == 1:
        return parts[0]
    if isinstance(node, AllOf) != negated:
        return f"all of this: {'; '.join(parts)}"
    return f"one of these: {'; '.join(parts)}"


def _country(terms: dict[str, Any], names: Names, negated: bool) -> str:
    within = ("in" in terms) != negated
    return f"a country {'among' if within else 'other than'} {', '.join(terms.get('in') or terms['not_in'])}"


def _languages(terms: dict[str, Any], names: Names, negated: bool) -> str:
    tags = terms.get("any") or terms["all"]
    several = "the language" if len(tags) == 1 else "one of the languages" if "any" in terms else "all the languages"
    return f"{'not ' if negated else ''}{several} {', '.join(tags)}"


def _device(terms: dict[str, Any], names: Names, negated: bool) -> str:
    return f"{'no' if negated else 'a'} {' or '.join(terms['in'])}"


def _content(terms: dict[str, Any], names: Names, negated: bool) -> str:
    kinds = ", ".join(kind.replace("_", " ") for kind in terms["agrees"])
    return f"{'no ' if negated else ''}consent to be shown {kinds}"


def _account_age(terms: dict[str, Any], names: Names, negated: bool) -> str:
    bounds = []
    if "min_days" in terms:
        bounds.append(f"at least {terms['min_days']}")
    if "max_days" in terms:
        bounds.append(f"at most {terms['max_days']}")
    return f"an account that is {'not ' if negated else ''}{' and '.join(bounds)} days old"


def _skill(terms: dict[str, Any], names: Names, negated: bool) -> str:
    bounds = _bounds(terms)
    return f"{'not ' if negated else ''}the skill {_name(terms, names)}{' of ' + bounds if bounds else ''}"


def _qualification(terms: dict[str, Any], names: Names, negated: bool) -> str:
    return f"{'not ' if negated else ''}the qualification {_name(terms, names)}"


def _score(terms: dict[str, Any], names: Names, negated: bool) -> str:
    asked = []
    if bounds := _bounds(terms):
        asked.append(f"a score of {bounds}")
    if "min_evidence" in terms:
        if negated and not asked:
            return f"fewer than {terms['min_evidence']} judged answers in this project"
        asked.append(f"at least {terms['min_evidence']} judged answers")
    return f"{'not ' if negated else ''}{' and '.join(asked)} in this project"


def _list(terms: dict[str, Any], names: Names, negated: bool) -> str:
    which = f"the list {_name(terms, names)}" if terms["id"] in names else "a list of the requester"
    return f"{'a' if terms['member'] != negated else 'no'} place on {which}"


def _batch(terms: dict[str, Any], names: Names, negated: bool) -> str:
    which = f"the batch {_name(terms, names)}" if terms["id"] in names else "another batch of the requester"
    if "min_accepted" in terms:
        return f"{'fewer than' if negated else 'at least'} {terms['min_accepted']} accepted answers in {which}"
    return f"{'no ' if negated else ''}work in {which}"


def _bounds(terms: dict[str, Any]) -> str:
    bounds = []
    if "min" in terms:
        bounds.append(f"at least {terms['min']:.2f}")
    if "max" in terms:
        bounds.append(f"at most {terms['max']:.2f}")
    return " and ".join(bounds)


def _name(terms: dict[str, Any], names: Names) -> str:
    return f"“{names.get(terms['id'], '')}”"


_LEAVES = {
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

"""Each condition of an audience as SQL over `profiles_worker w`: the same text judges one worker and the whole market.

The statement around it has the CTE `moment (now)`, joined as `m`, and the worker's standing in the project, joined as
`s`. A condition is null where nothing is known that it could judge (a device never seen). Several accounts of one
person hold together what each of them holds; what a profile says, each says for itself.
"""

from dataclasses import dataclass
from typing import Any

from marketplace.batches.audience import AllOf, AnyOf, Leaf, Node, Not
from workers.reputation.scoring import PRIOR

MOMENT = "WITH moment AS MATERIALIZED (SELECT market_now() AS now)"
# One index probe for one worker, a hash join for all of them.
STANDING = "LEFT JOIN reputation_standing s ON s.worker_id = w.id AND s.project_id = %s::bigint CROSS JOIN moment m"
SCORE = f"coalesce(s.shown_alpha / (s.shown_alpha + s.shown_beta), {PRIOR.mean!r}::float8)"
# About the person, and known to nobody but the site; the other conditions ask for what the requester knows himself.
PROFILE = frozenset({"country", "languages", "device", "content", "account_age"})
ACCOUNTS = "JOIN profiles_worker p ON p.id = x.worker_id AND p.person_id = w.person_id"


@dataclass(frozen=True)
class Sql:
    """A piece of a statement and the values it needs, in order."""

    text: str
    params: tuple[Any, ...] = ()


def conjuncts(node: Node | None) -> list[Node]:
    """The conditions that must all hold, taken apart as far as they go: what excludes a worker is one of them."""
    if node is None:
        return []
    if isinstance(node, AllOf):
        return [one for part in node.parts for one in conjuncts(part)]
    if isinstance(node, Not):
        inner = node.part
        if isinstance(inner, Not):
            return conjuncts(inner.part)
        if isinstance(inner, AnyOf):
            return [one for part in inner.parts for one in conjuncts(Not(part.path, part))]
    return [node]


def sql_of(node: Node, *, device: str | None = None) -> Sql:
    """The node as a boolean expression; `device` is the one that the worker has in his hands, if that is known."""
    if isinstance(node, Leaf):
        return _LEAVES[node.name](node.terms, device)
    if isinstance(node, Not):
        inner = sql_of(node.part, device=device)
        return Sql(f"(NOT {inner.text})", inner.params)
    parts = [sql_of(part, device=device) for part in node.parts]
    word = " AND " if isinstance(node, AllOf) else " OR "
    return Sql(f"({word.join(part.text for part in parts)})", tuple(one for part in parts for one in part.params))


def _country(terms: dict[str, Any], device: str | None) -> Sql:
    if "in" in terms:
        return Sql("(w.country = ANY (%s::text[]))", (terms["in"],))
    # Nobody knows that an unnamed country is not among them.
    return Sql("(w.country <> '' AND w.country <> ALL (%s::text[]))", (terms["not_in"],))


def _languages(terms: dict[str, Any], device: str | None) -> Sql:
    wanted = [tag.lower() for tag in terms.get("any") or terms["all"]]
    # `de` is spoken by whoever names de, de-AT or de-CH-1901: the tag itself, or the beginning of it up to a hyphen.
    one = "EXISTS (SELECT 1 FROM unnest(w.languages) spoken WHERE lower(spoken) || '-' LIKE {})"
    if "any" in terms:
        return Sql(f"({one.format('ANY (%s::text[])')})", ([f"{tag}-%" for tag in wanted],))
    return Sql(f"({' AND '.join([one.format('%s::text')] * len(wanted))})", tuple(f"{tag}-%" for tag in wanted))


def _device(terms: dict[str, Any], device: str | None) -> Sql:
    return Sql("(coalesce(%s::text, nullif(w.device, '')) = ANY (%s::text[]))", (device, terms["in"]))


def _content(terms: dict[str, Any], device: str | None) -> Sql:
    return Sql("(w.content @> %s::varchar[])", (terms["agrees"],))


def _account_age(terms: dict[str, Any], device: str | None) -> Sql:
    bounds = []
    if "min_days" in terms:
        bounds.append(("w.created_at <= m.now - make_interval(hours => %s::integer)", terms["min_days"] * 24))
    if "max_days" in terms:
        bounds.append(("w.created_at >= m.now - make_interval(hours => %s::integer)", terms["max_days"] * 24))
    return _within(bounds)


def _held(terms: dict[str, Any], device: str | None) -> Sql:
    value, params = "", [terms["id"]]
    for name, sign in (("min", ">="), ("max", "<=")):
        if name in terms:
            value += f" AND x.value {sign} %s::float8"
            params.append(terms[name])
    return Sql(
        f"(EXISTS (SELECT 1 FROM profiles_grant x {ACCOUNTS}"
        " WHERE x.skill_id = (SELECT id FROM profiles_skill WHERE public_id = %s::uuid) AND x.revoked_at IS NULL"
        f" AND (x.expires_at IS NULL OR x.expires_at > (SELECT now FROM moment)){value}))",
        tuple(params),
    )


def _score(terms: dict[str, Any], device: str | None) -> Sql:
    bounds = []
    if "min" in terms:
        bounds.append((f"{SCORE} >= %s::float8", terms["min"]))
    if "max" in terms:
        bounds.append((f"{SCORE} <= %s::float8", terms["max"]))
    if "min_evidence" in terms:
        bounds.append(("coalesce(s.shown_evidence, 0) >= %s::integer", terms["min_evidence"]))
    return _within(bounds)


def _list(terms: dict[str, Any], device: str | None) -> Sql:
    negation = "" if terms["member"] else "NOT "
    return Sql(
        f"({negation}EXISTS (SELECT 1 FROM profiles_listmember x {ACCOUNTS}"
        " WHERE x.list_id = (SELECT id FROM profiles_workerlist WHERE public_id = %s::uuid) AND x.removed_at IS NULL))",
        (terms["id"],),
    )


def _batch(terms: dict[str, Any], device: str | None) -> Sql:
    batch = "(SELECT id FROM batches_batch WHERE public_id = %s::uuid)"
    if "min_accepted" not in terms:
        # Whoever was given work there has a walk.
        return Sql(f"(EXISTS (SELECT 1 FROM assignments_walk x {ACCOUNTS} WHERE x.batch_id = {batch}))", (terms["id"],))
    # Counts no further than it must.
    return Sql(
        f"((SELECT count(*) FROM (SELECT 1 FROM assignments_settlement x {ACCOUNTS} WHERE x.batch_id = {batch}"
        " LIMIT %s::bigint) done) >= %s::bigint)",
        (terms["id"], terms["min_accepted"], terms["min_accepted"]),
    )


def _within(bounds: list[tuple[str, Any]]) -> Sql:
    return Sql(f"({' AND '.join(text for text, _ in bounds)})", tuple(bound for _, bound in bounds))


_LEAVES = {
    "country": _country,
    "languages": _languages,
    "device": _device,
    "content": _content,
    "account_age": _account_age,
    "skill": _held,
    "qualification": _held,
    "score": _score,
    "list": _list,
    "batch": _batch,
}

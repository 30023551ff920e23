"""Trees of labels: how they are declared, and which paths they have."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.declaration import Declaration
from marketplace.projects.answer_types.labels import LABELS_MAX, read_labels

NODES_MAX = 5_000
DEPTH_MAX = 20
Path = tuple[str, ...]
Nodes = Sequence[Mapping[str, Any]]


def read_tree(read: Declaration, field: Field) -> list[dict[str, Any]]:
    """The nodes under `tree`, each a label that may have `children`; what is wrong is noted in `read`.

    A single node may be given without the list around it.
    """
    raw = field.get("tree")
    nodes = _nodes(read, [raw] if isinstance(raw, Mapping) else raw, "tree", 1, [NODES_MAX])
    if not read.errors and sum(1 for _ in paths(nodes, leaf_only=True)) < 2:
        read.refuse("tree", "must have at least two nodes without others below them")
    return nodes


def paths(nodes: Nodes, *, leaf_only: bool, above: Path = ()) -> Iterator[Path]:
    """The paths that can be chosen, each node before those below it."""
    for node in nodes:
        path = (*above, node["value"])
        below = node.get("children", ())
        if not below or not leaf_only:
            yield path
        yield from paths(below, leaf_only=leaf_only, above=path)


def children(nodes: Nodes, path: Sequence[str]) -> Nodes | None:
    """The nodes below a path, or None where the tree does not have it."""
    for value in path:
        found = next((node for node in nodes if node["value"] == value), None)
        if found is None:
            return None
        nodes = found.get("children", ())
    return nodes


def _nodes(read: Declaration, raw: Any, option: str, depth: int, left: list[int]) -> list[dict[str, Any]]:
    """`left` holds how many more nodes there may be."""
    if depth > DEPTH_MAX:
        read.refuse(option, f"must not be more than {DEPTH_MAX} levels deep")
        return []
    if not isinstance(raw, list) or not 1 <= len(raw) <= LABELS_MAX:
        read.refuse(option, f"must be a list of 1 to {LABELS_MAX} nodes")
        return []
    left[0] -= len(raw)
    if left[0] < 0:
        read.refuse("tree", f"must have at most {NODES_MAX} nodes")
        return []
    labels = [
        {key: entry for key, entry in node.items() if key != "children"} if isinstance(node, Mapping) else node
        for node in raw
    ]
    before = len(read.errors)
    nodes = read_labels(read, {option: labels}, option, least=1)
    if len(read.errors) > before:
        return []
    for at, (node, given) in enumerate(zip(nodes, raw, strict=True)):
        if given.get("children"):
            node["children"] = _nodes(read, given["children"], f"{option}[{at}].children", depth + 1, left)
            if left[0] < 0:
                break
    return nodes

"""Every kind of transfer has words on an organisation's statement."""

import ast
from collections.abc import Iterator
from pathlib import Path

import marketplace
import workers
from marketplace.web.money_words import LINES, line_words

# Of whoever is paid, who has a statement of his own.
OF_WORKERS = {"payout", "payout-settled", "payout-back", "payout-returned"}
# The functions that make transfers, with the place of the kind among what they are given.
MAKERS = {"put": 1, "extra_transfers": 1, "_move": 2}


def kinds_in(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        given = [keyword.value for keyword in call.keywords if keyword.arg == "kind" and call.func.id == "Move"]
        if call.func.id in MAKERS and len(call.args) > MAKERS[call.func.id]:
            given.append(call.args[MAKERS[call.func.id]])
        for value in given:
            parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            yield from (part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


def test_every_kind_of_transfer_has_words() -> None:
    found = {
        kind
        for package in (marketplace, workers)
        for path in Path(str(package.__file__)).parent.rglob("*.py")
        if "migrations" not in path.parts
        for kind in kinds_in(ast.parse(path.read_text()))
    }
    assert {"hold", "reward", "upheld", "fee", "release", "quarantine", "rehold"} <= found, "kinds are looked for"
    assert found - OF_WORKERS == set(LINES)


def test_a_release_says_what_came_back() -> None:
    assert line_words("release", "release:4240378a:2") == "Came back: not needed any more"
    assert line_words("release", "release:4240378a:disputes") == "Came back: put aside for disputes"
    assert line_words("unheard-of", "a:b") == "Another posting"

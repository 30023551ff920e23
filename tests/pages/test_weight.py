"""Pages are light: what a browser fetches for them stays within a budget, compressed."""

from pathlib import Path

import pytest
from django.test import Client

from marketplace.pages.vendor import MODULES
from tests.pages.test_pages import browser, signed_in
from tests.pages.weights import weight_of

KB = 1_000


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/accounts/signup/"])
def test_a_stranger_fetches_little(db: None, path: str) -> None:
    weight = weight_of(browser(), path)

    assert weight.total <= 20 * KB, str(weight)
    assert weight.requests <= 8, str(weight)


def test_the_page_of_an_account_is_as_light(db: None) -> None:
    client, _ = signed_in()

    weight = weight_of(client, "/accounts/2fa/")

    assert weight.total <= 20 * KB, str(weight)


def test_a_module_counts_with_all_that_it_imports(db: None) -> None:
    parts = weight_of(Client(), "/design/").parts

    assert {
        "/static/pages/design.js",
        "/static/pages/dom.js",
        "/static/pages/format.js",
        "/static/pages/i18n.js",
    } <= set(parts)
    assert {"/static/pages/icons.svg", "/static/pages/design.css", "page"} <= set(parts)
    assert "/static/pages/api.js" not in parts, "what nobody imports is not fetched"


def test_the_scales_are_right(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A page that loads a library by its bare name is weighed with it."""
    from tests.pages import weights

    (tmp_path / "a.js").write_text('import x from "lib"; import("./later.js"); export {y} from "./b.js";')
    (tmp_path / "b.js").write_text("export const y = 1;")
    (tmp_path / "lib.js").write_text("export default 1;")
    monkeypatch.setattr(weights.finders, "find", lambda name: str(tmp_path / name))
    page = (
        b'<script type="importmap">{"imports": {"lib": "/static/lib.js"}}</script><script src="/static/a.js"></script>'
    )

    parts = weights.weigh(type("Response", (), {"content": page})()).parts

    assert set(parts) == {"page", "/static/a.js", "/static/b.js", "/static/lib.js"}
    assert all(size > 20 for size in parts.values())


def test_the_map_of_imports_names_files_that_are_there(settings: object) -> None:
    folder = Path(settings.NODE_MODULES)  # type: ignore[attr-defined]
    if not folder.exists():
        pytest.skip("node_modules is not installed: run `npm ci`")
    for path in MODULES.values():
        assert (folder / path).is_file(), path

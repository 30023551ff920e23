"""Modules import by name only what is exported: a browser runs nothing of a module of which one name is missing."""

import re
from posixpath import dirname, join, normpath

import pytest

from tests.conftest import ROOT

NAMED = re.compile(r"""(?:^|\n)(?:im|ex)port\s*\{([^}]*)\}\s*from\s*["'](\.[^"']+)["']""")
DECLARED = r"export\s+(?:async\s+)?(?:function\*?|const|let|class)\s+{name}\b"
LISTED = r"export\s*\{{[^}}]*\b{name}\b"
MODULES = {
    str(path).partition("/static/")[2]: path.read_text()
    for app in ("marketplace", "workers")
    for path in sorted((ROOT / app).rglob("static/**/*.js"))
}


def imported(text: str) -> list[tuple[str, str]]:
    """What a module takes of others by name, and from where."""
    return [
        (name.split(" as ")[0].strip(), source)
        for names, source in NAMED.findall(text)
        for name in names.split(",")
        if name.strip()
    ]


def exported(module: str, name: str) -> bool:
    return any(re.search(form.format(name=re.escape(name)), MODULES[module]) for form in (DECLARED, LISTED))


@pytest.mark.parametrize("module", [name for name, text in MODULES.items() if imported(text)])
def test_a_module_imports_only_what_is_exported(module: str) -> None:
    for name, source in imported(MODULES[module]):
        other = normpath(join(dirname(module), source))
        assert other in MODULES, f"{module} imports from {source}, which is not there"
        assert exported(other, name), f"{module} imports {name} from {source}, which does not export it"


def test_what_is_not_exported_would_be_noticed() -> None:
    assert ("api", "../pages/api.js") in imported(MODULES["console/upload.js"])
    assert exported("pages/api.js", "api")
    assert not exported("pages/api.js", "SAFE")

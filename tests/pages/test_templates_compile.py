"""Every template of ours compiles, the ones for what no other test happens to show too."""

from pathlib import Path

import pytest
from django.template import engines

ROOT = Path(__file__).resolve().parents[2]
OURS = sorted(
    str(page.relative_to(folder))
    for app in ("marketplace", "workers")
    for folder in (ROOT / app).rglob("templates")
    for page in folder.rglob("*.html")
)


@pytest.mark.parametrize("name", OURS)
def test_a_template_compiles(name: str) -> None:
    assert engines["django"].get_template(name)


def test_there_are_templates() -> None:
    assert len(OURS) > 100

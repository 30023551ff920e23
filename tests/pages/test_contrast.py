"""The design tokens keep WCAG 2.2 AA, in the light and in the dark."""

import re
from pathlib import Path

import pytest

import marketplace.pages

TOKENS = (Path(marketplace.pages.__file__).parent / "static/pages/tokens.css").read_text()
TEXT = [
    ("text", "ground"),
    ("text", "surface"),
    ("text-soft", "ground"),
    ("text-soft", "surface"),
    ("text", "accent-soft"),
    ("accent", "ground"),
    ("accent", "surface"),
    ("on-accent", "accent"),
    ("bad", "ground"),
    ("bad", "surface"),
    ("on-bad", "bad"),
]
EDGES = [("field-line", "surface"), ("field-line", "ground"), ("focus", "ground"), ("focus", "surface")]


def colours(scheme: str) -> dict[str, str]:
    light, _, dark = TOKENS.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    return found if scheme == "light" else found | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_is_readable(scheme: str, front: str, back: str) -> None:
    found = colours(scheme)

    assert contrast(found[front], found[back]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), EDGES)
def test_edges_of_controls_are_seen(scheme: str, front: str, back: str) -> None:
    found = colours(scheme)

    assert contrast(found[front], found[back]) >= 3

"""The design tokens keep WCAG 2.2 AA, in the light and in the dark."""

import re
from pathlib import Path

import pytest

import marketplace.pages

TOKENS = (Path(marketplace.pages.__file__).parent / "static/pages/tokens.css").read_text()
GROUNDS = ("sunken", "ground", "surface")
TEXT = [
    *[(front, back) for front in ("text", "text-soft", "accent", "bad") for back in GROUNDS],
    *[("text", f"{tone}-soft") for tone in ("accent", "good", "warn", "bad")],
    *[(tone, f"{tone}-soft") for tone in ("accent", "good", "warn", "bad")],
    ("accent-strong", "ground"),
    ("accent-strong", "surface"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-bad", "bad"),
    ("good", "surface"),
    ("good", "ground"),
    ("warn", "surface"),
    ("warn", "ground"),
    ("streak", "stone"),
]
EDGES = [
    *[(edge, back) for edge in ("field-line", "focus", "accent") for back in GROUNDS],
    *[(f"label-{number}", "surface") for number in range(1, 9)],
]


def colours(scheme: str) -> dict[str, str]:
    light, _, dark = TOKENS.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", light))
    return found if scheme == "light" else found | dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", dark))


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


def test_style_sheets_name_no_colour_that_is_no_token() -> None:
    folder = Path(marketplace.pages.__file__).parents[2]
    sheets = [*folder.glob("marketplace/*/static/**/*.css"), *folder.glob("workers/*/static/**/*.css")]
    assert {"site.css", "components.css"} <= {sheet.name for sheet in sheets}
    for sheet in sheets:
        screen, _, _print = sheet.read_text().partition("@media print")
        if sheet.name != "tokens.css" and "/rest/" not in str(sheet):
            assert not re.search(r":[^;{]*(#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\()", screen), sheet.name

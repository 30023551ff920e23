"""Numbers, times and pictures as templates write them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import timezone

import marketplace.pages
from marketplace.pages.devices import browser_and_system
from marketplace.pages.templatetags import pages
from marketplace.pages.vendor import MODULES, VendorFinder

STATIC = Path(marketplace.pages.__file__).parent / "static/pages"


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (20_000, "0.02\u00a0EUR"),
        (1, "0.000001\u00a0EUR"),
        (12_500_000, "12.50\u00a0EUR"),
        (1_482_360_000, "1,482.36\u00a0EUR"),
        (-5_000, "−0.005\u00a0EUR"),
        (None, "–"),
    ],
)
def test_money_has_the_digits_that_it_needs(micros: int | None, text: str) -> None:
    assert pages.money(micros, "EUR") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.03, "0.1 s"), (0.4, "0.4 s"), (0.97, "1 s"),
     (59.6, "1 min"), (150, "2 min 30 s"), (3_600, "1 h"), (7_265, "2 h 1 min"), (90_000, "1 day 1 h"),
     (172_800, "2 days"), (None, "–")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert pages.duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0\u00a0%"),
        (0.0004, "<\u00a01\u00a0%"),
        (0.934, "93\u00a0%"),
        (0.936, "94\u00a0%"),
        (0.999, "99\u00a0%"),
        (1.0, "100\u00a0%"),
    ],
)
def test_what_is_not_quite_all_or_nothing_does_not_look_so(share: float, text: str) -> None:
    assert pages.percent(share) == text


def test_a_moment_is_told_by_its_distance_and_holds_the_whole_of_it() -> None:
    now = timezone.now()
    told = {by: re.sub("<[^>]+>", "", pages.when(now + timedelta(minutes=by))) for by in (0, -7, -300, 4_320)}

    assert told == {0: "just now", -7: "7 minutes ago", -300: "5 hours ago", 4_320: "in 3 days"}
    long_ago = pages.when(datetime(2020, 2, 3, 4, 5, tzinfo=UTC))
    assert (
        long_ago == '<time datetime="2020-02-03T04:05:00+00:00" title="Feb. 3, 2020, 4:05 a.m. UTC">Feb. 3, 2020</time>'
    )


def test_an_icon_that_is_none_is_an_error_and_not_an_empty_place() -> None:
    assert 'aria-hidden="true"' in pages.icon("check")
    assert 'role="img" aria-label="&lt;Done&gt;"' in pages.icon("check", "<Done>")
    with pytest.raises(KeyError):
        pages.icon("chekc")


def test_devices_are_known_again() -> None:
    phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
    mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15"

    assert [browser_and_system(text) for text in (phone, mac, "curl/8")] == [
        ("Chrome", "Android"),
        ("Safari", "Mac"),
        ("", ""),
    ]


def test_only_named_files_of_packages_are_served(settings: object, tmp_path: Path) -> None:
    settings.NODE_MODULES = tmp_path  # type: ignore[attr-defined]
    for name in (MODULES["htmx"], "htmx.org/package.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    finder = VendorFinder()

    assert finder.find(f"vendor/{MODULES['htmx']}") == str(tmp_path / MODULES["htmx"])
    assert [name for name, _storage in finder.list([])] == [MODULES["htmx"]]
    for path in ("vendor/htmx.org/package.json", f"vendor/{MODULES['sortablejs']}", f"other/{MODULES['htmx']}"):
        assert finder.find(path) is None
        assert finder.find(path, find_all=True) == []


def test_missing_libraries_are_said_and_stop_nothing(
    settings: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.NODE_MODULES = tmp_path / "none"  # type: ignore[attr-defined]

    assert list(VendorFinder().list([])) == []
    assert "run `npm ci` in" in caplog.text


def test_the_design_page_shows_every_piece(db: None) -> None:
    page = Client().get("/design/").content.decode()
    shown = {name for names in re.findall(r'class="([^"]+)"', page) for name in names.split()}
    sheet = re.sub(r"/\*.*?\*/", "", (STATIC / "components.css").read_text(), flags=re.DOTALL)
    styled = set(re.findall(r"\.([a-z][a-z-]*)(?=[\s.:,>{\[])", sheet))

    # Lists of rows are on the page of sessions, the check of a form's choices within it; htmx sets its own class.
    assert styled - shown - {"htmx-request", "nonfield", "errorlist", "center", "above", "rows"} == set()
    assert {"page", "wide", "card", "tabs", "facts", "empty", "skeleton", "sheet", "data"} <= shown
    assert finders.find("pages/icons.svg")

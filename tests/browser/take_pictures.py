"""Takes the pictures of the worker's pages in README.md, from the site that `./run demo` leaves up:

python -m tests.browser.take_pictures http://127.0.0.1:8000 worker@… password
"""

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy"
BYTES_MAX = 150_000
BOXES = "Streets: box what you see"


def take(page: Page, name: str) -> None:
    """One picture of what is in the window."""
    page.wait_for_load_state("networkidle")
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size} bytes")
    assert size <= BYTES_MAX, "make the window smaller"


def main(site: str, email: str, password: str) -> None:
    """Sign in as the worker of the demo, and look at the board, at boxes in the player, and at the earnings."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(
            base_url=site, viewport={"width": 1080, "height": 720}, locale="en-GB", reduced_motion="reduce"
        )
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/accounts/login/?next=/work/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").first.fill(password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1, name="Board")).to_be_visible()
        take(page, "board")
        page.get_by_role("link", name=BOXES).click()
        page.get_by_role("link", name="Start working").click()
        page.get_by_role("button", name=re.compile("I have read them")).click()
        expect(page.locator(".task-card[aria-label]")).to_be_visible()
        take(page, "player")
        page.goto("/work/earnings/")
        take(page, "earnings")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])

"""The worker's pages in a real browser: what each fetches, and how soon the next task is there.

    ./run bench pages [--tasks 60] [--json]

Bytes are as they came over the wire, without and with what the browser had in its cache; the site of a bench compresses
nothing, so what a site in production sends is told beside them. The next task is timed in the page: from the press on
"Submit" to the frame in which the next one's tools stand.
"""

import argparse
import gzip
import os
import shutil
import sys
from dataclasses import dataclass
from typing import Any

try:
    from playwright.sync_api import BrowserContext, Page, sync_playwright
except ModuleNotFoundError:
    sys.exit("The browser is driven by Playwright, which `./run test` installs: run that once.")

from tests.benchmarks.report import give, percentiles_ms, progress, table

WARM = 5  # tasks whose times are not counted
KINDS = ("choice", "number", "boxes", "spans")
# How each kind is answered before it is submitted, within the page.
ANSWER = """kind => {
  const task = document.querySelector(".task-card[aria-label]");
  if (kind === "choice") task.querySelector("input[type=radio]").click();
  else if (kind === "number") { const input = task.querySelector(".tool input"); input.value = "3"; input.dispatchEvent(new Event("input", {bubbles: true})); input.dispatchEvent(new Event("change", {bubbles: true})); }
  else { const unclear = [...task.querySelectorAll(".task-foot button")][0]; if (unclear.getAttribute("aria-pressed") !== "true") unclear.click(); }
}"""  # noqa: E501
NEXT = """() => new Promise((resolve, reject) => {
  const place = document.querySelector("[data-show=tasks]");
  const before = place.querySelector(".task-card");
  let began = 0;
  const seen = new MutationObserver(() => {
    const card = place.querySelector(".task-card[aria-label]");
    if (!card || card === before || !card.querySelector(".tool > *")) return;
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
  });
  seen.observe(place, {childList: true, subtree: true});
  setTimeout(() => reject(new Error("no next task")), 20000);
  began = performance.now();
  document.querySelector("[data-act=submit]").click();
})"""


@dataclass(frozen=True)
class Visit:
    """What was fetched for one page."""

    requests: int
    wire_kib: float
    gzipped_kib: float
    ready_ms: float


def fetched(page: Page, path: str, ready: str) -> Visit:
    """Open the page and wait for the element that says that it is there."""
    sizes: list[int] = []
    bodies: list[bytes] = []

    def finished(request: Any) -> None:
        found = request.sizes()
        sizes.append(found["responseBodySize"] + found["responseHeadersSize"])
        response = request.response()
        if response is not None and response.status == 200:
            bodies.append(response.body())

    page.on("requestfinished", finished)
    page.goto(path)
    page.locator(ready).first.wait_for()
    page.wait_for_load_state("networkidle")
    page.remove_listener("requestfinished", finished)
    at = page.evaluate("() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    gzipped = sum(min(len(body), len(gzip.compress(body, 6))) for body in bodies)
    return Visit(len(sizes), round(sum(sizes) / 1024, 1), round(gzipped / 1024, 1), round(at, 1))


def next_tasks(page: Page, kind: str, tasks: int) -> dict[str, float]:
    """Answer so many tasks; the times until the next one stands."""
    page.locator(".task-card[aria-label] .tool > *").first.wait_for()
    read = page.get_by_role("button", name="I have read them")
    if read.is_visible():
        read.click()
    seconds = []
    for number in range(tasks):
        page.evaluate(ANSWER, kind)
        took = page.evaluate(NEXT) / 1000
        if number >= WARM:
            seconds.append(took)
    return percentiles_ms(seconds)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Prepare a worker and batches, then look with the browser."""
    import django

    django.setup()
    from django.db import connections

    from tests.browser import batches
    from tests.browser.people import make_worker, session_of

    url = f"http://127.0.0.1:{os.environ['TOUCHSTONE_PORT']}"
    worker = make_worker()
    session = session_of(worker.user)
    made = {kind: batches.make_batch(kind, asked.tasks + 10) for kind in KINDS}
    connections.close_all()
    player = {kind: f"/work/batches/{batch.public_id}/do/" for kind, batch in made.items()}
    pages = {
        "home": ("/", "h1"),
        "sign in": ("/accounts/login/", "form"),
        "board": ("/work/", "h1"),
        "preview": (f"/work/batches/{made['choice'].public_id}/", "h1"),
        **{f"player, {kind}": (path, ".task-card[aria-label] .tool > *") for kind, path in player.items()},
        "earnings": ("/work/earnings/", "h1"),
        "answers": ("/work/earnings/answers/", "h1"),
        "standing": ("/work/standing/", "h1"),
        "news": ("/work/news/", "h1"),
        "profile": ("/work/profile/", "h1"),
    }
    found: dict[str, Any] = {"pages": {}, "next_task": {}}
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])

        def window(signed_in: bool) -> BrowserContext:
            made = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
            if signed_in:
                made.add_cookies([{"name": "sessionid", "value": session, "url": url}])
            return made

        for name, (path, ready) in pages.items():
            context = window(name not in ("home", "sign in"))
            first = fetched(context.new_page(), path, ready)
            again = fetched(context.new_page(), path, ready)
            context.close()
            found["pages"][name] = {
                "requests": first.requests, "wire_kib": first.wire_kib, "gzipped_kib": first.gzipped_kib,
                "ready_ms": first.ready_ms, "again_wire_kib": again.wire_kib, "again_ready_ms": again.ready_ms,
            }  # fmt: skip
            progress(f"  {name}: {found['pages'][name]}")
        for kind, path in player.items():
            context = window(signed_in=True)
            page = context.new_page()
            page.goto(path)
            found["next_task"][kind] = next_tasks(page, kind, asked.tasks)
            context.close()
            progress(f"  next task, {kind}: {found['next_task'][kind]}")
        browser.close()
    return found


def described(found: dict[str, Any]) -> str:
    """The figures as tables."""
    pages = [
        [name, one["requests"], one["wire_kib"], one["gzipped_kib"], one["ready_ms"], one["again_wire_kib"]]
        for name, one in found["pages"].items()
    ]
    times = [[kind, one["p50_ms"], one["p95_ms"], one["max_ms"]] for kind, one in found["next_task"].items()]
    return "\n".join(
        [
            table(["page", "requests", "KiB", "KiB gzipped", "ready ms", "KiB again"], pages),
            "",
            table(["next task", "p50 ms", "p95 ms", "max ms"], times),
        ]
    )


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench pages", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=60, help="that are answered, of each kind")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    found = measure(asked)
    give(found, described(found), as_json=asked.json)
    return 0

"""axe-core on a page: in a world beside the page's own, where neither the page nor its policy is in the way."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.conftest import ROOT

SOURCE = Path("node_modules/axe-core/axe.min.js")
GRAVE = ("serious", "critical")


def grave_findings(page: Page) -> list[str]:
    """What axe finds on the page as it is now that is serious or critical: one text for each rule."""
    session = page.context.new_cdp_session(page)
    try:
        frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})["executionContextId"]
        _run(session, world, (ROOT / SOURCE).read_text())
        found = _run(session, world, "axe.run(document, {resultTypes: ['violations']})")["violations"]
    finally:
        session.detach()
    return [_in_words(rule) for rule in found if rule["impact"] in GRAVE]


def wider_than_window(page: Page) -> list[str]:
    """What sticks out of the window to the right, from the outermost to the innermost; nothing where the page fits."""
    found: list[str] = page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= wide) return [];
          return [...document.body.querySelectorAll('*')]
            .filter((one) => one.getBoundingClientRect().right > wide + 0.5)
            .map((one) => [Math.round(one.getBoundingClientRect().right), 'of', wide, 'px:', one.tagName.toLowerCase(),
              one.getAttribute('class') ?? '', one.textContent.trim().slice(0, 40)].join(' '))
            .concat(`${document.documentElement.scrollWidth} of ${wide} px in all`);
        }"""
    )
    return found


def _run(session: Any, world: int, expression: str) -> Any:
    options = {"expression": expression, "contextId": world, "awaitPromise": True, "returnByValue": True}
    if "axe.run" not in expression[:10]:
        options |= {"awaitPromise": False, "returnByValue": False}
    reply = session.send("Runtime.evaluate", options)
    assert "exceptionDetails" not in reply, reply["exceptionDetails"]
    return reply["result"].get("value")


def _in_words(rule: Any) -> str:
    places = [f"    {' '.join(map(str, node['target']))}: {node['failureSummary']}" for node in rule["nodes"][:5]]
    return "\n".join([f"{rule['impact']}: {rule['id']}: {rule['help']} ({len(rule['nodes'])} places)", *places])

"""Boxes, polygons, lines and skeletons are drawn by mouse, by keys and by touch, and just that is stored."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from marketplace.aggregation.geometry.polygons import crossing
from tests.browser import batches
from tests.browser.market import Market, wait
from tests.browser.people import make_worker
from workers.profiles.models import Worker

pytestmark = [pytest.mark.stack, pytest.mark.browser]
Point = tuple[float, float]
MIDDLE = (batches.WIDTH / 2, batches.HEIGHT / 2)


class Picture:
    """The picture that is drawn on, by the pixels that it has itself."""

    def __init__(self, page: Page) -> None:
        self.page, self.frame = page, page.locator(".view-drawn")
        expect(page.locator(".view-scale")).to_contain_text("%")

    @property
    def said(self) -> Locator:
        return self.page.locator(".shape-status")

    def place(self, point: Point) -> Point:
        """Where a pixel of the picture is in the window, when the picture rests."""
        left, top, scale = self.page.evaluate(
            """async () => {
              const picture = document.querySelector(".view-picture");
              const place = () => {
                const {left, top, width} = picture.getBoundingClientRect();
                return [left, top, width / picture.naturalWidth];
              };
              let seen = place();
              for (let still = 0; still < 3;) {
                await new Promise(requestAnimationFrame);
                const now = place();
                still = String(now) === String(seen) ? still + 1 : 0;
                seen = now;
              }
              return seen;
            }"""
        )
        return left + point[0] * scale, top + point[1] * scale

    def own_size(self) -> None:
        """One pixel of the picture for each of the screen, so that places are whole numbers."""
        self.page.get_by_role("button", name="1:1, the picture in its own size").click()
        expect(self.page.locator(".view-scale")).to_have_text("100 %")

    def click(self, *points: Point, **how: Any) -> None:
        self.frame.scroll_into_view_if_needed()
        for point in points:
            x, y = self.place(point)
            self.page.mouse.click(x, y, **how)

    def drag(self, start: Point, end: Point) -> None:
        self.frame.scroll_into_view_if_needed()
        self.page.mouse.move(*self.place(start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(end), steps=4)
        self.page.mouse.up()

    def tap(self, *points: Point) -> None:
        self.frame.scroll_into_view_if_needed()
        for point in points:
            x, y = self.place(point)
            self.page.touchscreen.tap(x, y)

    def swipe(self, *fingers: list[Point]) -> None:
        """Each finger along its points, all at once."""
        self.frame.scroll_into_view_if_needed()
        session = self.page.context.new_cdp_session(self.page)
        steps = [[self.place(point) for point in path] for path in fingers]
        for at in range(len(steps[0])):
            touches = [{"x": path[at][0], "y": path[at][1], "id": finger} for finger, path in enumerate(steps)]
            kind = "touchMove" if at else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def keys(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)

    def walk(self, start: Point, end: Point) -> None:
        """Move the crosshair by arrows, ten pixels at a time and then one."""
        for far, (less, more) in zip(
            (end[0] - start[0], end[1] - start[1]), (("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown")), strict=True
        ):
            key = more if far > 0 else less
            tens, ones = divmod(int(abs(far)), 10)
            self.keys(*[f"Shift+{key}"] * tens, *[key] * ones)

    def path(self, *points: Point) -> None:
        """Begin at the first point and place the others, all by keys, from the middle of the picture."""
        self.walk(MIDDLE, points[0])
        self.keys("n")
        for before, point in pairwise(points):
            self.walk(before, point)
            self.keys("Enter")


def open_picture(market: Market, kind: Any, *, tasks: int = 1, **how: Any) -> tuple[Picture, Worker]:
    """A worker before a task of a kind, who has read the instructions."""
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, kind, tasks, **how.pop("terms", {}))
    page = market.visit(worker.user, f"/work/batches/{batch.public_id}/do/", **how)
    page.get_by_role("button", name="I have read them").click()
    return Picture(page), worker


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Nothing is left for you here")).to_be_visible()


def box(label: str, x: float, y: float, width: float, height: float) -> dict[str, Any]:
    return {"label": label, "x": x, "y": y, "width": width, "height": height}


def seen(x: float, y: float, visibility: str = "visible") -> dict[str, Any]:
    return {"x": x, "y": y, "visibility": visibility}


ABSENT = {"visibility": "absent"}
CORNERS = [(80, 60), (200, 60), (200, 150), (80, 150)]
LOWER = [(300, 185), (400, 185), (400, 265)]
LISTS = [list(point) for point in CORNERS], [list(point) for point in LOWER]


def boxes_by_mouse(picture: Picture) -> None:
    picture.drag((80, 60), (200, 150))
    picture.page.get_by_role("radio", name="Light shape").check(force=True)
    picture.click((400, 260), (300, 180))


def boxes_by_keys(picture: Picture) -> None:
    picture.path((80, 65), (200, 155))
    picture.keys("2")
    picture.walk((200, 155), (300, 185))
    picture.keys("n")
    picture.walk((300, 185), (400, 265))
    picture.keys("Enter")


def outline_by_mouse(picture: Picture) -> None:
    picture.click(*CORNERS, CORNERS[0])


def outline_by_keys(picture: Picture) -> None:
    picture.keys("2")
    picture.path(*LOWER)
    picture.keys("Enter")


def line_by_mouse(picture: Picture) -> None:
    picture.click(*CORNERS[:3])
    picture.page.mouse.dblclick(*picture.place(CORNERS[3]))


def hand_by_mouse(picture: Picture) -> None:
    expect(picture.page.get_by_text("Place: wrist (1 of 3)")).to_have_count(0)
    picture.click((100, 100))
    expect(picture.page.locator(".shape-ask")).to_have_text("Place: thumb (2 of 3)")
    picture.page.get_by_role("button", name="Absent").click()
    picture.page.get_by_role("button", name="Next is occluded").click()
    picture.click((160, 120))


def hand_by_keys(picture: Picture) -> None:
    picture.walk(MIDDLE, (100, 100))
    picture.keys("n", "Shift+Enter")
    picture.walk((100, 100), (160, 120))
    picture.keys("Enter", "Delete")


BOXES = [box("dark", 80, 60, 120, 90), box("light", 300, 180, 100, 80)]
# By kind: by mouse, what is stored then, by keys, what is stored then.
DRAWN: dict[str, tuple[Callable[[Picture], None], Any, Callable[[Picture], None], Any]] = {
    "boxes": (
        boxes_by_mouse, BOXES,
        boxes_by_keys, [box("dark", 80, 65, 120, 90), box("light", 300, 185, 100, 80)],
    ),
    "polygons": (
        outline_by_mouse, [{"label": "dark", "points": LISTS[0]}],
        outline_by_keys, [{"label": "light", "points": LISTS[1]}],
    ),
    "polylines": (
        line_by_mouse, [{"label": "dark", "points": LISTS[0]}],
        outline_by_keys, [{"label": "light", "points": LISTS[1]}],
    ),
    "keypoints": (
        hand_by_mouse,
        [{"label": "hand", "points": {"wrist": seen(100, 100), "thumb": ABSENT, "little": seen(160, 120, "occluded")}}],
        hand_by_keys,
        [{"label": "hand", "points": {"wrist": seen(100, 100, "occluded"), "thumb": seen(160, 120), "little": ABSENT}}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DRAWN)
def test_what_is_drawn_by_mouse_and_by_keys_is_stored(
    kind: str, market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    by_mouse, first, by_keys, second = DRAWN[kind]
    picture, worker = open_picture(market, kind, tasks=2)
    page = picture.page
    picture.own_size()
    by_mouse(picture)
    axe(page)
    shot(page, f"drawing-{kind}-1280")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-show=session]")).to_contain_text("1 answer")

    expect(page.locator(".view-drawn")).to_be_focused()
    Picture(page)
    picture.keys("End")
    expect(page.locator(".view-scale")).to_have_text("100 %")
    by_keys(picture)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Nothing is left for you here")).to_be_visible()

    assert market.beside(batches.stored, worker) == [{"answer": first}, {"answer": second}]


def numbers(value: Any) -> list[float]:
    """All numbers of a value, by the names of their fields: the database keeps no other order of those."""
    if isinstance(value, dict):
        return [number for _, one in sorted(value.items()) for number in numbers(one)]
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, int | float) else []


def names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [name for key, one in sorted(value.items()) for name in (key, *names(one))]
    if isinstance(value, list):
        return [name for one in value for name in names(one)]
    return [value] if isinstance(value, str) else []


BY_TOUCH: dict[str, tuple[Callable[[Picture], None], Any]] = {
    "boxes": (lambda picture: picture.swipe([(80, 60), (120, 90), (200, 150)]), BOXES[:1]),
    "polygons": (lambda picture: picture.tap(*CORNERS, CORNERS[0]), DRAWN["polygons"][1]),
    "polylines": (
        lambda picture: (picture.tap(*CORNERS), picture.page.get_by_role("button", name="Finish").tap())[0],
        DRAWN["polylines"][1],
    ),
    "keypoints": (
        lambda picture: picture.tap((100, 100), (160, 120), (60, 200)),
        [{"label": "hand", "points": {"wrist": seen(100, 100), "thumb": seen(160, 120), "little": seen(60, 200)}}],
    ),
}


@pytest.mark.parametrize("kind", BY_TOUCH)
def test_what_is_drawn_with_one_finger_on_a_phone_is_stored(
    kind: str, market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    by_touch, drawn = BY_TOUCH[kind]
    picture, worker = open_picture(market, kind, width=390, touch=True, dark=True)
    by_touch(picture)
    expect(picture.page.locator(".shape-list li")).to_have_count(1)
    axe(picture.page)
    shot(picture.page, f"drawing-{kind}-390-dark")
    submit(picture.page)

    [stored] = market.beside(batches.stored, worker)
    if kind == "polygons":
        # The market begins an outline at its highest point; of two that are nearly as high it may be either.
        points = stored["answer"][0]["points"]
        first = points.index(min(points, key=sum))
        stored["answer"][0]["points"] = points[first:] + points[:first]
    assert names(stored["answer"]) == names(drawn)
    # A pixel of this screen is one and a half of the picture.
    assert numbers(stored["answer"]) == pytest.approx(numbers(drawn), abs=3)


def test_two_fingers_zoom_and_draw_nothing(market: Market) -> None:
    picture, _ = open_picture(market, "boxes", width=390, touch=True)
    before = picture.page.locator(".view-scale").text_content()
    picture.swipe([(220, 160), (180, 160), (100, 160)], [(260, 160), (300, 160), (380, 160)])
    expect(picture.page.locator(".view-scale")).not_to_have_text(str(before))
    expect(picture.page.locator(".shape-list li")).to_have_count(0)
    picture.page.get_by_role("button", name="Fit all of the picture").tap()
    expect(picture.page.locator(".view-scale")).to_have_text(str(before))


def test_corners_are_moved_added_and_deleted_and_each_step_is_undone(market: Market) -> None:
    picture, worker = open_picture(market, "polygons")
    page = picture.page
    picture.own_size()
    picture.click(*CORNERS, CORNERS[0])
    picture.drag((200, 150), (220, 170))  # a corner
    picture.drag((140, 60), (140, 40))  # the middle of the upper side
    shown = page.locator(".shape-panel")
    expect(shown).to_contain_text("5 points, 140 × 130 px")
    page.keyboard.press("Delete")
    expect(shown).to_contain_text("4 points, 140 × 110 px")
    page.keyboard.press("Control+z")
    expect(shown).to_contain_text("5 points, 140 × 130 px")
    page.get_by_role("button", name="Delete Polygon 1, Dark shape").click()
    expect(page.locator(".shape-list li")).to_have_count(0)
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Polygon 1, Dark shape", exact=True).click()
    page.get_by_label("Label of this shape").select_option("light")
    submit(page)

    points = [[140, 40], [200, 60], [220, 170], [80, 150], [80, 60]]
    assert market.beside(batches.stored, worker) == [{"answer": [{"label": "light", "points": points}]}]


def test_what_crosses_itself_is_shown_while_it_is_drawn_and_told_before_it_is_sent(
    market: Market, shot: Callable[..., None]
) -> None:
    picture, worker = open_picture(market, "polygons")
    page = picture.page
    picture.own_size()
    picture.click((80, 60), (200, 150), (200, 60))
    expect(page.locator(".crossed")).to_have_count(0)
    picture.click((80, 150))
    expect(page.locator(".crossed")).to_have_count(1)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".field-problem")).to_have_text(
        "You have not finished a polygon. Finish it, or cancel it with Escape."
    )
    page.get_by_role("button", name="Finish").click()
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".field-problem")).to_contain_text("its sides from point 1 and from point 3 cross or touch")
    shot(page, "drawing-crossing")
    assert market.beside(batches.stored, worker) == []
    picture.drag((80, 150), (240, 40))
    expect(page.locator(".crossed")).to_have_count(0)
    submit(page)

    points = [[240, 40], [200, 60], [200, 150], [80, 60]]
    [stored] = market.beside(batches.stored, worker)
    assert sorted(stored["answer"][0]["points"]) == sorted(points)


def test_shapes_end_at_the_border_of_the_picture(market: Market) -> None:
    picture, worker = open_picture(market, "boxes")
    picture.own_size()
    picture.drag((300, 200), (900, 900))
    picture.drag((4, 100), (60, 3))
    submit(picture.page)

    assert market.beside(batches.stored, worker) == [
        {"answer": [box("dark", 0, 0, 60, 100), box("dark", 300, 200, 180, 120)]}
    ]


def test_there_is_nothing_to_mark_is_an_answer_too(market: Market) -> None:
    picture, worker = open_picture(market, "polygons")
    page = picture.page
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".field-problem")).to_have_text("Please answer this.")
    page.get_by_label("There is nothing to mark in this picture").check()
    submit(page)

    assert market.beside(batches.stored, worker) == [{"answer": []}]


def test_a_picture_that_cannot_be_loaded_says_so_and_the_task_can_be_reported(
    market: Market, shot: Callable[..., None]
) -> None:
    rows = [{"picture": "https://127.0.0.1:9/nothing-here.png"}]
    market.allow("nothing-here.png", "ERR_")
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, batches.interface_of("boxes"), rows=rows)
    page = market.visit(worker.user, f"/work/batches/{batch.public_id}/do/")
    expect(page.get_by_text("The picture could not be loaded. Try again; if it stays away, report")).to_be_visible()
    expect(page.get_by_role("button", name="Report a problem")).to_be_enabled()
    shot(page, "drawing-failed")


def test_a_picture_to_look_at_lets_the_page_be_scrolled_until_it_is_zoomed(market: Market) -> None:
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, "number", 1)
    page = market.visit(worker.user, f"/work/batches/{batch.public_id}/do/", height=600)
    page.get_by_role("button", name="I have read them").click()
    frame, scale = page.locator(".view-plain.fitted"), page.locator(".view-scale")
    expect(scale).to_contain_text("%")
    fitting = scale.inner_text()

    frame.hover()
    page.mouse.wheel(0, 100)
    wait(page, "window.scrollY > 0")
    expect(scale).to_have_text(fitting)
    page.get_by_role("button", name="Zoom in").click()
    expect(scale).not_to_have_text(fitting)
    zoomed = scale.inner_text()
    page.locator(".view-plain").hover()
    page.mouse.wheel(0, -100)
    expect(scale).not_to_have_text(zoomed)
    page.locator(".view-plain").press("Home")
    expect(scale).to_have_text(fitting)


def test_the_keyboard_leaves_the_picture(market: Market) -> None:
    picture, _ = open_picture(market, "boxes")
    picture.drag((80, 60), (200, 150))
    picture.keys("Tab")
    expect(picture.said).to_contain_text("Box 1, Dark shape")
    picture.keys("Enter", "Tab")
    expect(picture.said).to_contain_text("upper edge")
    picture.keys("Escape", "Escape", "Escape", "Tab")
    expect(picture.frame).not_to_be_focused()


def test_the_page_refuses_the_crossings_that_the_market_refuses(market: Market) -> None:
    seeded = random.Random(8)
    polygons = [
        [[seeded.randint(0, 12), seeded.randint(0, 12)] for _ in range(seeded.randint(3, 7))] for _ in range(600)
    ]
    polygons = [one for one in polygons if all(a != b for a, b in zip(one, one[1:] + one[:1], strict=True))]
    page = market.visit()
    found = page.evaluate(
        """async (polygons) => {
          const {crossing} = await import("/static/work/player/tools/shapes/geometry.js");
          return polygons.map((points) => crossing(points));
        }""",
        polygons,
    )

    wanted = [crossing(np.array(points, dtype=np.int64) * 100) for points in polygons]
    assert {one is None for one in wanted} == {True, False}
    assert [tuple(one) if one else None for one in found] == wanted

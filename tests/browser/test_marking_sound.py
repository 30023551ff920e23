"""Stretches and words of sounds and films: marked and typed by mouse, by keys and by touch, and stored as they are."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import batches
from tests.browser.market import Market
from tests.browser.people import make_worker
from tests.browser.test_marking_text import label, submitted, swipe
from tests.browser.test_player_forms import open_player, task_of
from tests.crowd import wav

pytestmark = [pytest.mark.stack, pytest.mark.browser]
LENGTH = batches.SOUND_S
# A pixel of the line of time at 1280 and at 390, in seconds, and half a pixel for rounding.
NEAR_WIDE, NEAR_NARROW = 1.5 * LENGTH / 800, 1.5 * LENGTH / 320
# A film of twelve grey pictures that grow lighter, made by the browser itself.
FILM = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 64, height: 48});
  const paint = canvas.getContext("2d");
  const stream = canvas.captureStream(0);
  const recorder = new MediaRecorder(stream, {mimeType: "video/webm;codecs=vp8", videoBitsPerSecond: 40000});
  const parts = [];
  recorder.ondataavailable = ({data}) => parts.push(data);
  const ended = new Promise((done) => (recorder.onstop = done));
  recorder.start();
  for (let at = 0; at < 12; at += 1) {
    paint.fillStyle = `rgb(${at * 20} ${at * 20} ${at * 20})`;
    paint.fillRect(0, 0, 64, 48);
    stream.getVideoTracks()[0].requestFrame();
    await new Promise((next) => setTimeout(next, 50));
  }
  recorder.stop();
  await ended;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


def timeline(task: Locator, wave: str = "drawn") -> Locator:
    """The line of time, when its sound has been read."""
    expect(task.locator(".timeline")).to_have_attribute("data-wave", wave)
    return task.locator(".timeline-view")


def at(line: Locator, seconds: float) -> tuple[float, float]:
    """Where a time is on the line, over the waveform."""
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    assert box is not None
    return box["x"] + 1 + (box["width"] - 2) * seconds / LENGTH, box["y"] + 60


def drag(page: Page, line: Locator, start: float, end: float) -> None:
    page.mouse.move(*at(line, start))
    page.mouse.down()
    page.mouse.move(*at(line, (start + end) / 2), steps=4)
    page.mouse.move(*at(line, end), steps=4)
    page.mouse.up()


def test_segments_are_marked_by_mouse_and_their_times_typed(
    market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    page, worker = open_player(market, "segments", tasks=1)
    task = task_of(page)
    line = timeline(task)

    drag(page, line, 1.0, 2.4)
    label(task, "Tone").click()
    drag(page, line, 2.4, 3.5)
    label(task, "Noise").click()
    # An end is dragged where the ear says that it belongs.
    task.locator(".mark-entry").first.click()
    page.mouse.move(*at(line, 2.4))
    page.mouse.down()
    page.mouse.move(*at(line, 2.5), steps=4)
    page.mouse.up()
    expect(task.locator(".mark-entry")).to_have_count(2)
    shot(page, "segments-1280")
    axe(page)
    task.locator(".mark-entry").nth(1).click()
    task.get_by_label("Start", exact=True).fill("2.75")
    task.get_by_label("End", exact=True).fill("0:03,25")
    task.get_by_label("End", exact=True).press("Enter")
    task.get_by_label("End", exact=True).press("ArrowUp")
    task.get_by_label("End", exact=True).press("Shift+ArrowUp")

    tone, noise = submitted(page, market, worker, "Control+Enter")
    assert tone == {
        "label": "tone",
        "start": pytest.approx(1, abs=NEAR_WIDE),
        "end": pytest.approx(2.5, abs=NEAR_WIDE),
    }
    assert noise == {"label": "noise", "start": 2.75, "end": 3.36}


def test_segments_are_marked_by_keys_alone(market: Market) -> None:
    page, worker = open_player(market, "segments", tasks=1)
    task = task_of(page)
    line = timeline(task)
    press = page.keyboard.press

    line.focus()
    press("Home")
    press("Control+ArrowRight")
    press("[")
    for _ in range(15):
        press("ArrowRight")
    press("]")
    # What is marked is never sent without its label.
    press("Enter")
    expect(task.get_by_text("Choose a label for what is marked, or press Escape.")).to_be_visible()
    press("t")
    press("Control+ArrowRight")
    press("[")
    press("Shift+ArrowRight")
    press("]")
    press("1")
    expect(task.get_by_text("It must last at least 0.1 seconds.")).to_be_visible()
    press("Escape")

    assert submitted(page, market, worker, "Control+Enter") == [{"label": "tone", "start": 1, "end": 2.5}]


def test_a_segment_is_marked_by_touch_on_a_phone(
    market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    page, worker = open_player(market, "segments", tasks=1, width=390, touch=True, dark=True)
    task = task_of(page)
    line = timeline(task)

    swipe(page, at(line, 1.0), at(line, 2.5))
    expect(task.get_by_role("status").filter(has_text="choose a label")).to_be_visible()
    label(task, "Tone").tap()
    expect(task.locator(".mark-entry")).to_have_count(1)
    axe(page)
    shot(page, "segments-390")

    (tone,) = submitted(page, market, worker)
    assert tone["label"] == "tone"
    assert (tone["start"], tone["end"]) == pytest.approx((1, 2.5), abs=NEAR_NARROW)


def test_what_is_said_is_typed_with_its_times_while_the_sound_is_moved_by_keys(
    market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    page, worker = open_player(market, "transcription", tasks=1)
    task = task_of(page)
    line = timeline(task)
    press = page.keyboard.press

    line.focus()
    press("Control+ArrowRight")
    press("[")
    for _ in range(15):
        press("ArrowRight")
    press("]")
    page.keyboard.type("a long tone 🎈")
    press("Alt+ArrowLeft")
    expect(task.locator(".deck-time")).to_contain_text("0:00.500 /")
    press("Alt+ArrowRight")
    press("Alt+Enter")
    page.keyboard.type("שלום")
    # Playing goes back two seconds first, as a foot pedal does.
    press("Control+Space")
    expect(task.get_by_role("button", name="Pause")).to_be_visible()
    press("Control+Space")
    expect(task.get_by_role("button", name="Play", exact=True)).to_be_visible()
    shown = task.locator(".deck-time").inner_text()
    assert 0.5 <= float(shown.split(" /")[0].removeprefix("0:")) < 2.4
    expect(task.get_by_label("What is said, stretch 2")).to_be_focused()
    axe(page)
    shot(page, "transcription-1280")

    assert submitted(page, market, worker, "Control+Enter") == [
        {"start": 1, "end": 2.5, "text": "a long tone 🎈"},
        {"start": 2.5, "end": 4, "text": "שלום"},
    ]


def test_a_stretch_without_words_is_not_sent_and_silence_is_an_answer(market: Market) -> None:
    page, worker = open_player(market, "transcription", tasks=1)
    task = task_of(page)

    drag(page, timeline(task), 1, 2)
    page.keyboard.press("Control+Enter")
    expect(task.get_by_text("Stretch 1 has no text. Write what is said, or delete it.")).to_be_visible()
    task.get_by_role("button", name="Delete stretch 1").click()
    task.get_by_label("Nothing is said in this recording").check()

    assert submitted(page, market, worker) == []


def test_a_text_without_times_is_typed_on_a_phone(market: Market, shot: Callable[..., None]) -> None:
    page, worker = open_player(market, "transcript", tasks=1, width=390, touch=True)
    task = task_of(page)
    timeline(task)

    task.get_by_role("textbox", name="Write down what you hear").fill("  one tone,\nthen silence ")
    shot(page, "transcript-390")

    assert submitted(page, market, worker) == [{"text": "one tone,\nthen silence"}]


def opened(market: Market, kind: str, address: str, **field: Any) -> tuple[Page, Any]:
    """A worker before one task that shows a recording."""
    asks = {
        "data": [{"name": "recording", "type": kind}],
        "answer": [{"name": "answer", "type": "segments", "of": "recording", "labels": [{"value": "here"}], **field}],
    }
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, asks, 1, rows=[{"recording": address}])
    page = market.visit(worker.user)
    sound = wav.encode([0.0] * int(LENGTH * wav.RATE))
    page.route("https://sounds.example/there.wav", lambda route: route.fulfill(body=sound, content_type="audio/wav"))
    page.route("https://sounds.example/gone.wav", lambda route: route.fulfill(status=404))
    page.goto(f"/work/batches/{batch.public_id}/do/")
    page.get_by_role("button", name="I have read them").click()
    return page, worker


def test_a_sound_that_its_site_lets_nobody_read_is_marked_by_time(market: Market) -> None:
    market.allow("sounds.example")
    page, worker = opened(market, "audio", "https://sounds.example/there.wav")
    task = task_of(page)
    line = timeline(task, wave="none")
    expect(task.get_by_text("No waveform")).to_be_visible()

    line.focus()
    page.keyboard.press("[")
    page.keyboard.press("End")
    page.keyboard.press("]")

    assert submitted(page, market, worker) == [{"label": "here", "start": 0, "end": 4}]


def test_a_sound_that_cannot_be_loaded_says_so_and_can_be_reported(market: Market) -> None:
    market.allow("sounds.example")
    page, _ = opened(market, "audio", "https://sounds.example/gone.wav")

    expect(page.get_by_text("The sound cannot be loaded.")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_disabled()
    expect(page.get_by_role("button", name="Report a problem")).to_be_enabled()


def test_a_film_is_stepped_by_pictures(market: Market, shot: Callable[..., None]) -> None:
    film = market.visit().evaluate(FILM)
    assert len(base64.b64decode(film)) < 40_000
    page, worker = opened(market, "video", f"data:video/webm;base64,{film}")
    task = task_of(page)
    expect(task.locator(".timeline")).not_to_have_attribute("data-wave", "waiting")

    task.locator(".timeline-view").focus()
    page.keyboard.press("[")
    for _ in range(4):
        page.keyboard.press(".")
    page.keyboard.press(",")
    page.keyboard.press("]")
    shot(page, "film-1280")

    # Three pictures of a twenty-fifth of a second on, in the middle of it.
    assert submitted(page, market, worker) == [{"label": "here", "start": 0, "end": 0.14}]

"""What the demo leaves open: every task can be shown, and what its simulated guests answer is taken."""

import base64
import io
import wave
from random import Random

import pytest

from marketplace.projects.interface import check_interface, clean_data, clean_values
from tests.crowd import wav
from tests.crowd.gallery import pictures, sentences, sounds
from tests.crowd.gallery.batches import EXHIBITS, Exhibit
from tests.crowd.gallery.guests import DAY, FATES, WANTED, guests_wanted

# The digits come with scikit-learn, which takes long to load; they are tested on their own.
MADE = [exhibit for exhibit in EXHIBITS if exhibit.gold == 0]


@pytest.mark.parametrize("exhibit", MADE, ids=lambda exhibit: exhibit.name)
def test_every_task_can_be_shown_and_its_answers_are_taken(exhibit: Exhibit) -> None:
    interface = check_interface(exhibit.interface)
    items = list(exhibit.items())

    assert len(items) * exhibit.overlap > WANTED + 2 * exhibit.guests
    assert len({str(data) for data, _ in items}) == len(items)
    for number, (data, right) in enumerate(items):
        shown = clean_data(interface, data)
        assert shown == data
        assert clean_values(interface, right, shown)
        assert clean_values(interface, exhibit.given(right, Random(number)), shown)


def test_the_board_has_all_usual_ways_to_answer() -> None:
    kinds = {field["type"] for exhibit in EXHIBITS for field in exhibit.interface["answer"]}

    assert kinds == {
        "choice", "boxes", "polygons", "keypoints", "spans", "rating", "taxonomy", "preference", "segments",
        "transcription",
    }  # fmt: skip
    assert guests_wanted() == sum(exhibit.guests for exhibit in EXHIBITS) == 20


def test_the_pay_of_an_hour_is_one_that_people_would_work_for() -> None:
    hourly = [exhibit.price_micros * 3600 / (sum(exhibit.seconds) / 2) / 10**6 for exhibit in EXHIBITS]

    assert all(10 <= euros <= 16 for euros in hourly), hourly


def test_the_day_of_the_resident_leads_through_batches_that_are_there() -> None:
    names = {exhibit.name for exhibit in EXHIBITS}

    assert {name for name, _, _ in DAY} <= names
    assert {name for name, _ in FATES} <= names
    # Opened first, so that the day begins early and is not cut short.
    assert {exhibit.name for exhibit in EXHIBITS[: len(DAY)]} == {name for name, _, _ in DAY}


def test_a_seed_always_draws_the_same_and_another_something_else() -> None:
    for scene in (pictures.street, pictures.leaves, pictures.figure, sounds.harbour, sounds.signal):
        assert scene(3) == scene(3) != scene(4)


def test_boxes_lie_in_the_street() -> None:
    width, height = pictures.STREET
    for seed in range(6):
        for box in pictures.street(seed)[1]:
            assert 0 <= box["x"] < box["x"] + box["width"] <= width
            assert 0 <= box["y"] < box["y"] + box["height"] <= height


def test_a_marked_sentence_says_which_words_are_names() -> None:
    text, spans = sentences.marked("[Björn|person] left [Malmö|place].")

    assert text == "Björn left Malmö."
    assert [(span["label"], text[span["start"] : span["end"]]) for span in spans] == [
        ("person", "Björn"),
        ("place", "Malmö"),
    ]


def test_a_sound_is_a_wave_file_of_its_samples() -> None:
    encoded = wav.data_uri([0.0, 1.0, -1.0, 2.0]).removeprefix("data:audio/wav;base64,")

    with wave.open(io.BytesIO(base64.b64decode(encoded))) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 1, 8_000)
        assert list(sound.readframes(9)) == [128, 255, 1, 255]

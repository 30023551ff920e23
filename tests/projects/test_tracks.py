"""Boxes that move through a film."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.geometry.tracks import boxes_at, frames_between, needed_frames
from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.parts import KeyFrame, Track
from marketplace.projects.answer_types.registry import answer_type

TRACKS = answer_type("tracks")


def field(**options):
    return TRACKS.check_field({"name": "it", "type": "tracks", "of": "film", "labels": [{"value": "cat"}], **options})


def key(frame, x=0, y=0, width=10, height=10, **flags):
    return {"frame": frame, "x": x, "y": y, "width": width, "height": height, **flags}


def track(*frames):
    return [{"label": "cat", "frames": list(frames)}]


def refusal(declared, value):
    with pytest.raises(ValueRefused) as caught:
        TRACKS.clean(declared, value)
    return caught.value.message


def result(*values, **options):
    declared = field(**options)
    [found] = TRACKS.aggregate(declared, AnswerTable([0] * len(values), range(len(values)), values, 1), "").results
    return found


def there(value, frame):
    """left, top, right, bottom of the one track in a frame, by walking its key frames; None where it is not there."""
    [only] = value
    frames = only["frames"]
    for before, after in zip(frames, [*frames[1:], None], strict=True):
        last = after is None
        if before["frame"] == frame or (not last and before["frame"] < frame < after["frame"]):
            if before.get("outside"):
                return None
            share = 0 if last else (frame - before["frame"]) / (after["frame"] - before["frame"])
            mixed = [before[side] + share * ((before if last else after)[side] - before[side])
                     for side in ("x", "y", "width", "height")]  # fmt: skip
            return pytest.approx([mixed[0], mixed[1], mixed[0] + mixed[2], mixed[1] + mixed[3]], abs=0.011)
    return None


def test_flags_are_kept_only_where_they_are_true():
    value = TRACKS.clean(field(), track(key(0, outside=False), key(5, occluded=True), key(9, outside=True)))

    assert value == track(key(0), key(5, occluded=True), key(9, outside=True))
    assert list(TRACKS.parts(field(), value)) == [
        Track("cat", (KeyFrame(0, 0, 0, 10, 10), KeyFrame(5, 0, 0, 10, 10, occluded=True),
                      KeyFrame(9, 0, 0, 10, 10, outside=True)))
    ]  # fmt: skip


def test_key_frames_rise_within_the_film():
    declared = field(frames=100, width=50, height=50)

    assert refusal(declared, track(key(5), key(5))) == (
        "track 1: key frame 2: frame must be more than that of the one before"
    )
    assert refusal(declared, track(key(100))) == "track 1: key frame 1: frame must be a whole number from 0 to 99"
    for frame in (-1, 1.5, True, "1", None):
        assert "frame must be a whole number" in refusal(declared, track(key(frame)))
    assert refusal(declared, track(key(0, x=41))) == "track 1: key frame 1: reaches out of the picture of width 50"
    assert refusal(declared, track(key(0, outside=True), key(1))).startswith("track 1: begins outside")
    assert refusal(declared, track(key(0, occluded=1))) == "track 1: key frame 1: occluded must be true or false"
    assert refusal(declared, track()).startswith("track 1: frames must be a list of 1 to")
    with pytest.raises(FieldInvalid):
        field(frames=0)


def test_a_hundred_thousand_key_frames_are_refused_without_reading_them():
    assert refusal(field(), track(*[key(0)] * 100_000)) == "must have at most 50000 key frames in all"


keys = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 20), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one[0],
)


def made(drawn):
    frames = [key(frame, x=x) | ({"outside": True} if gone and at else {})
              for at, (frame, x, gone) in enumerate(sorted(drawn))]  # fmt: skip
    return track(*frames)


@settings(max_examples=200)
@given(keys)
def test_a_track_is_on_the_line_between_its_key_frames(drawn):
    value = made(drawn)
    frames = value[0]["frames"]
    found = boxes_at(
        np.array([one["frame"] for one in frames]),
        np.array([[one["x"], one["y"], one["x"] + 10, one["y"] + 10] for one in frames], dtype=float),
        np.array(["outside" in one for one in frames]),
        np.arange(32),
    )

    for frame, box in enumerate(found):
        expected = there(value, frame)
        assert np.isnan(box).all() if expected is None else box.tolist() == expected


@settings(max_examples=100)
@given(keys, st.integers(1, 4))
def test_a_track_on_which_all_agree_is_the_result_frame_by_frame(drawn, answers):
    value = TRACKS.clean(field(), made(drawn))

    found = result(*[value] * answers)
    assert found.value == value or all(there(found.value, at) == there(value, at) for at in range(32))
    assert found.confidence == 1.0


def test_the_result_is_there_where_half_are_at_the_median_of_their_edges():
    values = [
        track(key(0, x=0), key(10, x=100)),
        track(key(0, x=2), key(10, x=102)),
        track(key(0, x=1), key(5, x=51), key(6, x=61, outside=True)),
    ]

    found = result(*values, iou=0.4)
    assert found.confidence == 1.0
    assert there(found.value, 0) == [1, 0, 11, 10]
    assert there(found.value, 5) == [51, 0, 61, 10]
    assert there(found.value, 10) == [101, 0, 111, 10]
    short = track(key(0), key(4))
    ended = result(short, short, track(key(0), key(6)), iou=0.3)
    assert there(ended.value, 4) is not None and there(ended.value, 5) is None
    hidden = result(track(key(0, occluded=True), key(9)), track(key(0, occluded=True), key(9)), track(key(0), key(9)))
    assert hidden.value == track(key(0, occluded=True), key(9))


def test_tracks_that_share_too_little_time_or_space_are_others():
    declared = field()

    assert TRACKS.score(declared, track(key(0), key(99)), track(key(0), key(59))) == 1.0
    assert TRACKS.score(declared, track(key(0), key(99)), track(key(60), key(99))) == 0.0
    assert TRACKS.score(declared, track(key(0), key(99)), track(key(0, x=4), key(99, x=4))) == 0.0
    assert TRACKS.score(declared, track(key(0), key(99)), track(key(100), key(199))) == 0.0


def test_long_films_are_looked_at_in_a_thousand_frames():
    assert frames_between(5, 8).tolist() == [5, 6, 7, 8]
    frames = frames_between(0, 10**6)
    assert (len(frames), frames[0], frames[-1]) == (1_000, 0, 10**6)
    assert (np.diff(frames) > 0).all()


def test_key_frames_on_the_line_are_not_needed():
    frames = np.array([0, 5, 10, 20])
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [10, 0, 20, 10]])

    assert needed_frames(boxes, frames, np.zeros(4, bool)).tolist() == [True, False, True, True]
    assert needed_frames(boxes, frames, np.array([0, 1, 0, 0], bool)).tolist() == [True, True, True, True]

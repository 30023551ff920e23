from itertools import pairwise, permutations
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.projects.answer_types.parts import Segment, Text
from marketplace.projects.answer_types.segments.speakers import best_assignment
from tests.projects.fields import aggregate, clean, declared, parts, refusal, score, wrong

SPEAKERS = [{"value": "A"}, {"value": "B"}, {"value": "C"}]
FIELD = declared("segments", of="sound", labels=SPEAKERS)
ONE_AT_A_TIME = declared("segments", of="sound", labels=SPEAKERS, overlap=False)
NAMELESS = declared("segments", of="sound", labels=SPEAKERS, interchangeable=True)
SPEECH = declared("transcription", of="sound")


def heard(*segments, field=FIELD):
    return clean(field, [dict(zip(("label", "start", "end"), one, strict=True)) for one in segments])


def spoken(*segments):
    """A transcription of (start, end, text)."""
    return clean(SPEECH, [dict(zip(("start", "end", "text"), one, strict=True)) for one in segments])


@st.composite
def recordings(draw):
    bounds = sorted(draw(st.sets(st.integers(0, 40), max_size=8)))
    return heard(*[(label, start / 4, end / 4) for start, end in pairwise(bounds)
                   if (label := draw(st.sampled_from(["A", "B", "C", None])))])  # fmt: skip


# Segments


def test_a_declaration_of_segments_says_what_is_wrong_with_it():
    assert FIELD.items() >= {"overlap": True, "interchangeable": False, "min_duration": 0, "collar": 0}.items()
    assert wrong("segments", labels=SPEAKERS) == {"of": "must be the name of a data field of type audio or video"}
    assert wrong("segments", of="x", labels=SPEAKERS, duration=2, min_duration=3, collar=9, min=2, max=1) == {
        "min_duration": "must be from 0 to 2 seconds",
        "collar": "must be from 0 to 5 seconds",
        "min": "must not exceed max",
    }
    many = [{"value": str(number)} for number in range(51)]
    assert wrong("segments", of="x", labels=many, interchangeable=True) == {
        "labels": "must be at most 50 where they are interchangeable"
    }


def test_segments_are_kept_to_a_millisecond_in_the_order_of_time():
    assert heard(("B", 2.00049, 3), ("A", 0, 1.5)) == [
        {"label": "A", "start": 0, "end": 1.5}, {"label": "B", "start": 2, "end": 3},
    ]  # fmt: skip
    assert heard(("A", 0, 2), ("B", 1, 3), ("A", 2, 3)) == heard(("A", 2, 3), ("B", 1, 3), ("A", 0, 2))


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([("D", 0, 1)], "segment 1: names a label that does not exist"),
        ([("A", 0, 1), ("B", 2, 2.0001)], "segment 2: must end after it starts"),
        ([("A", -1, 1)], "segment 1: start must be a number of seconds from 0 to 86400"),
        ([("A", 0, float("nan"))], "segment 1: end must be a number of seconds from 0 to 86400"),
        ([("A", 0, True)], "segment 1: end must be a number of seconds from 0 to 86400"),
        ([("A", 0, 10**400)], "segment 1: end must be a number of seconds from 0 to 86400"),
        ([("A", 0, 2), ("A", 1, 3)], "has two segments of A that overlap"),
        ([("A", number, number + 1) for number in range(100_000)], "must have 0 to 1000 segments"),
    ],
)
def test_a_segment_that_cannot_be_is_refused(segments, message):
    raw = [dict(zip(("label", "start", "end"), one, strict=True)) for one in segments]

    assert refusal(FIELD, raw) == message


def test_segments_keep_to_the_rules_of_their_field():
    raw = [{"label": "A", "start": 0, "end": 2}, {"label": "B", "start": 1, "end": 3}]
    short = declared("segments", of="sound", labels=SPEAKERS, duration=2.5, min_duration=0.5)

    assert refusal(ONE_AT_A_TIME, raw) == "has two segments that overlap"
    assert refusal(short, raw) == "segment 2: end must be a number of seconds from 0 to 2.5"
    assert refusal(short, [{"label": "A", "start": 0, "end": 0.4}]) == "segment 1: must last at least 0.5 seconds"
    assert clean(short, [{"label": "A", "start": 0.1, "end": 0.6}])
    assert refusal(FIELD, {"label": "A"}) == "must be a list of segments"
    assert refusal(FIELD, [["A", 0, 1]]) == "segment 1: must have label, start and end, and nothing else"


def test_the_score_of_segments_is_f1_by_time():
    key = heard(("A", 0, 4), ("B", 4, 8))

    assert score(FIELD, key, key) == 1.0
    assert score(FIELD, key, heard(("A", 0, 8))) == pytest.approx(2 * 4 / 16)
    assert score(FIELD, key, heard(("A", 0, 5), ("B", 5, 8))) == pytest.approx(2 * 7 / 16)
    assert score(FIELD, key, []) == 0.0
    assert score(FIELD, [], []) == 1.0
    assert score({**FIELD, "partial": False}, key, heard(("A", 0, 5), ("B", 5, 8))) == 1.0


def test_time_near_a_right_boundary_may_be_left_out():
    forgiving = declared("segments", of="sound", labels=SPEAKERS, collar=0.5)
    key, value = heard(("A", 0, 4), ("B", 4, 8)), heard(("A", 0.2, 4.5), ("B", 4.5, 7.6))

    assert score(forgiving, key, value) == 1.0
    assert score(FIELD, key, value) < 1
    assert score(forgiving, key, heard(("A", 0, 5), ("B", 5, 8))) < 1


def test_who_is_called_what_does_not_matter_where_labels_are_interchangeable():
    key = heard(("A", 0, 4), ("B", 4, 8), ("A", 8, 9))
    renamed = heard(("C", 0, 4), ("A", 4, 8), ("C", 8, 9))

    assert score(NAMELESS, key, renamed) == 1.0
    assert score(FIELD, key, renamed) == 0.0
    assert score(NAMELESS, key, heard(("A", 0, 4), ("B", 4, 8), ("C", 8, 9))) == pytest.approx(2 * 8 / 18)


@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=4))
def test_speakers_are_matched_by_the_best_assignment_there_is(gain):
    columns = [*range(3), *[None] * len(gain)]
    best = max(
        sum(gain[row][column] for row, column in enumerate(order) if column is not None)
        for order in permutations(columns, len(gain))
    )

    found = best_assignment(gain)

    named = [column for column in found if column is not None]
    assert len(set(named)) == len(named)
    assert sum(gain[row][column] for row, column in enumerate(found) if column is not None) == best


@given(recordings(), recordings())
def test_scores_of_segments_are_symmetric_and_1_for_the_same_times_and_labels_alone(one, other):
    def by_quarter(value):
        return [{part["label"] for part in value if part["start"] <= at / 4 < part["end"]} for at in range(40)]

    assert score(FIELD, one, other) == pytest.approx(score(FIELD, other, one))
    assert (score(FIELD, one, other) == 1) == (by_quarter(one) == by_quarter(other))
    assert score(NAMELESS, one, other) >= score(FIELD, one, other) - 1e-9


def test_each_piece_of_time_is_voted_on():
    answers = [heard(("A", 0, 4), ("B", 4, 8)), heard(("A", 0, 5), ("B", 5, 8)), heard(("A", 1, 4), ("B", 4, 9))]

    assert aggregate(ONE_AT_A_TIME, {0: answers})[0] == {
        0: (heard(("A", 0, 4), ("B", 4, 8)), pytest.approx(2 / 3), 3)
    }  # fmt: skip
    assert aggregate(FIELD, {0: answers})[0][0][0] == heard(("A", 0, 4), ("B", 4, 8))
    assert parts(FIELD, answers[0]) == [Segment(0, 4, "A"), Segment(4, 8, "B")]


def test_slivers_that_come_of_differing_boundaries_are_left_out():
    field = declared("segments", of="sound", labels=SPEAKERS, min_duration=1)
    answers = [heard(("A", 0, 4)), heard(("A", 0, 4)), heard(("A", 3.9, 6), ("B", 8, 10)), heard(("B", 9.5, 12))]

    assert aggregate(field, {0: answers})[0][0][0] == heard(("A", 0, 4))


@given(recordings(), st.permutations(["A", "B", "C"]), st.permutations(["A", "B", "C"]))
def test_the_same_speakers_by_other_names_are_a_unanimous_result(value, one, other):
    def by(names):
        mapping = dict(zip("ABC", names, strict=True))
        return heard(*[(mapping[part["label"]], part["start"], part["end"]) for part in value])

    results, _ = aggregate(NAMELESS, {0: [value, by(one), by(other)]})
    plain, _ = aggregate(NAMELESS, {0: [value]})

    assert results[0] == (plain[0][0], 1.0, 3)
    assert score(NAMELESS, value, results[0][0]) == 1.0


# Transcription


def test_a_declaration_of_a_transcription_says_what_is_wrong_with_it():
    assert SPEECH.items() >= {"timestamps": True, "max": 1000, "unit": "word", "tolerance": 0, "timing": 0}.items()
    assert wrong("transcription", of="x", unit="letter", tolerance=1, timing=2, max_length=0) == {
        "unit": "must be word or character",
        "tolerance": "must be from 0 to 0.9",
        "timing": "must be from 0 to 1",
        "max_length": "must be a whole number from 1 to 65536",
    }
    assert wrong("transcription", of="x", timestamps=False, timing=1) == {
        "timing": "is only for transcriptions with timestamps"
    }


def test_what_is_said_comes_in_the_order_of_time():
    assert spoken((2, 3, " so\r\nlong "), (0.0004, 2, "hello")) == [
        {"start": 0, "end": 2, "text": "hello"}, {"start": 2, "end": 3, "text": "so\nlong"},
    ]  # fmt: skip
    assert spoken() == []


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([(0, 1, " ")], "segment 1: text must have 1 to 2000 characters"),
        ([(0, 1, "a"), (1, 2, 3)], "segment 2: text must be text"),
        ([(0, 1, "a\0")], "segment 1: text must not contain the character NUL"),
        ([(1, 1, "a")], "segment 1: must end after it starts"),
        ([(0, 2, "a"), (1.5, 3, "b")], "has two segments that overlap, at 1.5 seconds"),
        ([(0, float("inf"), "a")], "segment 1: end must be a number of seconds from 0 to 86400"),
        ([(at, at + 1, "a") for at in range(100_000)], "must have at most 1000 segments"),
        ([(at, at + 1, "ä" * 2000) for at in range(70)], "must have at most 262144 bytes of text"),
        ([(at, at + 1, "a " * 800) for at in range(40)], "must have at most 30000 words"),
    ],
)  # fmt: skip
def test_a_transcription_that_cannot_be_is_refused(segments, message):
    assert refusal(SPEECH, [dict(zip(("start", "end", "text"), one, strict=True)) for one in segments]) == message


def test_without_timestamps_there_is_one_text_or_none():
    field = declared("transcription", of="sound", timestamps=False)

    assert clean(field, [{"text": " Hello. "}]) == [{"text": "Hello."}]
    assert clean(field, []) == []
    assert refusal(field, [{"text": "a"}] * 2) == "must have at most 1 segment"
    assert refusal(field, [{"text": "a", "start": 0, "end": 1}]) == "segment 1: must have text, and nothing else"
    assert refusal(field, "a") == "must be a list of segments"
    assert parts(field, [{"text": "a"}]) == [Text("a")]
    assert aggregate(field, {0: [[{"text": "a b"}]] * 2 + [[]]})[0][0][0] == [{"text": "a b"}]


def test_the_score_of_a_transcription_is_its_share_of_right_words():
    key = spoken((0, 4, "The cat sat"), (4, 8, "on the mat."))

    assert score(SPEECH, key, spoken((0, 8, "the cat, sat on THE mat"))) == 1.0
    assert score(SPEECH, key, spoken((0, 8, "the bat sat on the mat"))) == pytest.approx(5 / 6)
    assert score(SPEECH, key, []) == 0.0
    assert score(SPEECH, [], []) == 1.0
    assert score(declared("transcription", of="sound", tolerance=0.2), key, spoken((0, 8, "a cat sat on the mat"))) == 1
    assert score(declared("transcription", of="sound", partial=False), key, spoken((0, 8, "the"))) == 0.0


def test_when_it_is_said_may_count_too():
    field = declared("transcription", of="sound", timing=0.5)
    key = spoken((0, 4, "a b"), (6, 8, "c"))

    assert score(field, key, spoken((0, 4, "a"), (6, 8, "b c"))) == 1.0
    assert score(field, key, spoken((0, 8, "a b c"))) == pytest.approx(0.5 + 0.5 * 6 / 8)


def test_scripts_without_spaces_are_compared_by_characters():
    field = declared("transcription", of="sound", unit="character")
    key, value = [{"start": 0, "end": 1, "text": "今天天气好"}], [{"start": 0, "end": 1, "text": "今天天汽好"}]

    assert score(field, key, value) == 0.8
    assert aggregate(field, {0: [key, value, key]})[0][0][0] == key


def test_words_are_voted_on_and_keep_the_segments_of_the_answer_nearest_to_all():
    answers = [spoken((0, 2, "the cat sat"), (2, 5, "on a mat")), spoken((0, 5, "The bat sat on the mat")),
               spoken((0, 2.1, "the cat sat"), (2.1, 5, "on the mat, now"))]  # fmt: skip

    results, outcome = aggregate(SPEECH, {0: answers})

    assert outcome.method == "rover"
    assert [segment["text"] for segment in results[0][0]] in (["the cat sat", "on the mat"], ["the cat sat on the mat"])
    assert 0.6 < results[0][1] < 1
    assert parts(SPEECH, answers[0])[0] == Segment(0, 2, text="the cat sat")


def test_a_medoid_of_transcriptions_is_one_of_them():
    answers = [spoken((0, 2, "a b c")), spoken((0, 3, "a b d")), spoken((0, 2, "a b c d"))]

    results, outcome = aggregate(SPEECH, {0: answers}, "medoid")

    assert outcome.method == "medoid"
    assert results[0][0] in answers


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4).map(" ".join), min_size=1, max_size=4), st.data())
def test_a_result_keeps_to_the_rules_of_an_answer_whatever_the_order_of_answers(texts, data):
    answers = [spoken(*[(at, at + 1, text)] if text else ()) for at, text in enumerate(texts)]

    for method in ("rover", "medoid"):
        results, outcome = aggregate(SPEECH, {0: answers}, method)
        again, _ = aggregate(SPEECH, {0: data.draw(st.permutations(answers))}, method)
        assert clean(SPEECH, results[0][0]) == results[0][0]
        assert results == again
        assert outcome.converged


def test_long_transcriptions_are_compared_and_refused_in_time():
    long = spoken(*[(at, at + 1, f"word{at} is followed by word{at * 7 % 1000}") for at in range(1000)])
    other = spoken(*[(at, at + 1, f"word{at} was followed by word{at * 3 % 1000}") for at in range(1000)])

    begun = perf_counter()
    found = score(SPEECH, long, other)
    results, _ = aggregate(SPEECH, {0: [long, other, long]})

    assert 0.4 < found < 0.9
    assert results[0][0] == long
    assert perf_counter() - begun < 30


# Text by its words


def test_free_text_knows_medoid_and_rover():
    field = declared("text")
    answers = {0: ["The cat sat.", "the bat sat", "The cat spat"], 1: ["x"], 2: ["a", "b", "b c", "b d"]}

    assert aggregate(field, answers, "rover")[0][0][0] in ("The cat sat.", "The cat sat")
    assert aggregate(field, answers, "medoid")[0][2][0] == "b"
    assert aggregate(field, answers, "rover")[1].method == "rover"
    assert aggregate(field, answers, "dawid_skene")[1].method == "most_frequent"
    assert aggregate(field, {0: ["", "a"][1:]}, "rover")[0] == {0: ("a", 1.0, 1)}

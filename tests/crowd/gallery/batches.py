"""The open batches that the demo leaves behind, one for each way to answer that people can try, with the answers that
careful people would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.crowd import digits
from tests.crowd.gallery import pictures, sentences, sounds
from tests.crowd.transport import Json

Values = dict[str, Any]
# Data of a task, and what a careful person answers.
Item = tuple[Json, Values]


@dataclass(frozen=True)
class Exhibit:
    """A project with one open batch. `seconds` is how long one answer takes people, at least and at most."""

    name: str
    instructions: str
    interface: Json
    price_micros: int
    overlap: int
    seconds: tuple[float, float]
    items: Callable[[], Iterator[Item]]
    # What a person who is careful but human makes of the right answer.
    given: Callable[[Values, Random], Values] = lambda values, draws: values
    # How many of the simulated guests come here, how many tasks they take at a time, and how many tasks are gold.
    guests: int = 2
    page: int = 1
    gold: int = 0

    def terms(self, currency: str) -> Json:
        """Terms of its batch."""
        return {
            "name": self.name,
            "price_micros": self.price_micros,
            "currency": currency,
            "overlap": self.overlap,
            "lease_cap": 5,
            "time_limit_s": 900,
        }


def _label(value: str, title: str, definition: str, **more: Any) -> Json:
    return {"value": value, "title": title, "definition": definition, **more}


def _shaken(draws: Random, number: float, by: float = 1.5) -> float:
    return round(max(0.0, number + draws.uniform(-by, by)), 1)


# Digits


def _digits() -> Iterator[Item]:
    for digit in digits.load(60, seed=1848, gold_share=0.0):
        yield digit.data, {digits.FIELD: digit.truth}


# Boxes

STREET_WORDS = """# Box everything that moves or stands in the street

Draw a box around **every** car, person, tree and traffic light, each with its label.

1. Choose the label, by its key or a click.
2. Drag from one corner of the thing to the opposite one. The box should touch it on all four sides.
3. Go on until nothing is left. A thing that is half hidden gets a box around the part that you can see.

**Do not** box houses, windows or the sun. A box may be up to three pixels off; nobody measures finer.
"""
STREET_LABELS = [
    _label("car", "Car", "A car of any colour, with its wheels.", includes=["parked cars"],
           excludes=["reflections"], hotkey="c"),
    _label("person", "Person", "Somebody on foot, from head to shoes.", excludes=["people behind windows"], hotkey="p"),
    _label("tree", "Tree", "Crown and trunk together.", includes=["trees cut off by the edge"], hotkey="t"),
    _label("light", "Traffic light", "Lamp and post together, lit or not.", excludes=["street lamps"], hotkey="l"),
]  # fmt: skip


def _streets() -> Iterator[Item]:
    for seed in range(12):
        picture, boxes = pictures.street(seed)
        yield {"picture": picture}, {"things": boxes}


def _boxed(values: Values, draws: Random) -> Values:
    sides = ("x", "y", "width", "height")
    width, height = pictures.STREET
    shaken = [
        {"label": box["label"], **{side: _shaken(draws, box[side]) for side in sides}} for box in values["things"]
    ]
    for box in shaken:
        box["width"] = round(min(box["width"], width - box["x"]), 1)
        box["height"] = round(min(box["height"], height - box["y"]), 1)
    return {"things": shaken}


# Polygons

LEAF_WORDS = """# Cut out the leaves

Click around each leaf, point by point, and close the outline at your first point.

- **Plain** leaves have one smooth edge; **lobed** ones have fingers.
- Ten to twenty points are enough. Put more where the edge turns, fewer where it is straight.
- Leave out the shadow.

Moved a point too far? Drag it back, or undo.
"""
LEAF_LABELS = [
    _label("plain", "Plain leaf", "An egg-shaped leaf with a smooth edge.", hotkey="p"),
    _label("lobed", "Lobed leaf", "A leaf with fingers, like maple.", counter_examples=["a torn plain leaf"],
           hotkey="l"),
]  # fmt: skip


def _leaves() -> Iterator[Item]:
    for seed in range(8):
        picture, outlines = pictures.leaves(seed)
        yield {"picture": picture}, {"leaves": outlines}


def _outlined(values: Values, draws: Random) -> Values:
    return {
        "leaves": [
            {**leaf, "points": [[_shaken(draws, x, 0.8), _shaken(draws, y, 0.8)] for x, y in leaf["points"]]}
            for leaf in values["leaves"]
        ]
    }


# Keypoints

DANCE_WORDS = """# Where are head, hands, hip and feet?

Mark the six points of the dancer. Left and right are **yours**, as you look at the picture.

| Point | Put it on |
| --- | --- |
| head | the middle of the face |
| hands | the middle of each hand |
| hip | the middle between the legs, at the end of the shirt |
| feet | the heels |

A point that is hidden is marked where it must be, as *hidden*.
"""


def _dancers() -> Iterator[Item]:
    for seed in range(12):
        picture, people = pictures.figure(seed)
        yield {"picture": picture}, {"dancer": people}


def _pointed(values: Values, draws: Random) -> Values:
    def near(point: Json) -> Json:
        return {**point, "x": _shaken(draws, point["x"], 3), "y": _shaken(draws, point["y"], 3)}

    return {
        "dancer": [
            {**one, "points": {name: near(point) for name, point in one["points"].items()}} for one in values["dancer"]
        ]
    }


# Spans

NAMES_WORDS = """# Mark the names

Mark every name of a **person**, a **place**, a **group** and every **date**.

- Mark the whole name, and nothing around it: *Captain Moreau*, but not *Captain Moreau apologised*.
- Titles belong to the name (*Mrs Okafor*); articles do not (the *Fire Brigade*).
- The same word can be two things: read what the sentence means.
- Some sentences hold no name at all. Say so by submitting nothing marked.
"""
NAMES_LABELS = [
    _label("person", "Person", "A human being by name.", includes=["titles before the name"],
           excludes=["professions without a name"], examples=["Dr Lindqvist"], hotkey="p"),
    _label("place", "Place", "A town, country, sea or building by name.", examples=["Tromsø"], hotkey="l"),
    _label("group", "Group", "A company, club, office or orchestra by name.", examples=["the Polar Club"], hotkey="g"),
    _label("date", "Date", "A day, month, year or feast.", examples=["March 1911", "Tuesday"],
           counter_examples=["that summer"], hotkey="d"),
]  # fmt: skip


def _news() -> Iterator[Item]:
    for sentence in sentences.NEWS:
        text, spans = sentences.marked(sentence)
        yield {"sentence": text}, {"names": {"spans": spans, "relations": []}}


def _spotted(values: Values, draws: Random) -> Values:
    """Now and then one overlooks a name."""
    spans = values["names"]["spans"]
    return {"names": {"spans": [span for span in spans if draws.random() > 0.04], "relations": []}}


# Rating and taxonomy

REVIEW_WORDS = """# What do buyers say?

Read the review and answer three short questions.

1. **How content is the writer?** Judge the words, not the product.
2. **What is it about?** Choose the most exact topic. With two topics take the one that decided the mood.
3. If it is a complaint: would an answer from the shop help?
"""
TOPICS = [
    _label("product", "The product", "What was bought.", children=[
        _label("quality", "Quality", "How well it is made and works."),
        _label("size", "Size", "Whether it fits."),
        _label("manual", "Manual", "Instructions and pictures that came along."),
    ]),
    _label("service", "The service", "What the shop did.", children=[
        _label("delivery", "Delivery", "How and when it arrived."),
        _label("support", "Support", "Help before or after buying."),
    ]),
    _label("price", "The price", "Whether it was worth the money."),
]  # fmt: skip
MOODS = ["Angry", "Unhappy", "Neutral", "Content", "Delighted"]


def _reviews() -> Iterator[Item]:
    for text, stars, topic in sentences.REVIEWS:
        values: Values = {"mood": stars, "topic": list(topic)}
        if stars <= 2:
            values["reply"] = "yes" if topic[0] == "service" else "no"
        yield {"review": text}, values


# Preference

ANSWERS_WORDS = """# Which answer would you rather get?

Two answers to one question stand side by side. Choose the better one and say by how much.

- A **right** answer beats a wrong one, however well that is written.
- Of two right ones the more *helpful* wins; of two helpful ones the shorter.
- Really the same? Say that neither is better.
"""


def _answers() -> Iterator[Item]:
    for question, one, other, better, strength in sentences.QUESTIONS:
        values = {"preferred": better} | ({"strength": strength} if strength else {})
        yield {"question": question, "one": one, "other": other}, {"better": values}


# Segments and transcription

HARBOUR_WORDS = """# What sounds in the harbour?

Listen, and mark each sound from its first moment to its last.

- **Horn** — a low, steady blast.
- **Bell** — struck once, then fading. It ends where you can no longer hear it.
- **Wind** — a gust that swells and sinks.

A tenth of a second more or less does not matter. Silence stays unmarked.
"""
HARBOUR_LABELS = [
    _label("horn", "Horn", "A low, steady blast.", hotkey="h"),
    _label("bell", "Bell", "Struck once, then fading.", hotkey="b"),
    _label("wind", "Wind", "A gust that swells and sinks.", hotkey="w"),
]
SIGNAL_WORDS = """# Write down the fog signals

Each recording is one signal: three or four blasts of a ship's horn. Write each blast as a word, `short` or `long`, with
spaces between them.

> Two short blasts and a long one: `short short long`

Listen as often as you like. If the horn cannot be told from the noise, say that the task is unclear.
"""


def _harbours() -> Iterator[Item]:
    for seed in range(10):
        sound, heard = sounds.harbour(seed)
        yield {"recording": sound}, {"sounds": heard}


def _heard(values: Values, draws: Random) -> Values:
    shaken = [
        {**one, "start": round(one["start"] + draws.uniform(-0.05, 0.05), 2), "end": round(one["end"], 2)}
        for one in values["sounds"]
    ]
    return {"sounds": shaken}


def _signals() -> Iterator[Item]:
    for seed in range(12):
        sound, words = sounds.signal(seed)
        yield {"recording": sound}, {"signal": [{"text": words}]}


def _data(name: str, kind: str, title: str) -> Json:
    return {"name": name, "type": kind, "title": title}


def _asked(name: str, kind: str, title: str, **options: Any) -> Json:
    return {"name": name, "type": kind, "title": title, **options}


PICTURE = _data("picture", "image", "Picture")
RECORDING = _data("recording", "audio", "Recording")

# First those of the resident's day, so that the day is long.
EXHIBITS = (
    Exhibit(
        "Reviews: mood and topic", REVIEW_WORDS,
        {"data": [_data("review", "text", "Review")], "answer": [
            _asked("mood", "rating", "How content is the writer?", points=5, labels=MOODS),
            _asked("topic", "taxonomy", "What is it about?", tree=TOPICS, leaf_only=True),
            _asked("reply", "choice", "Would an answer from the shop help?", required=False,
                   show_if={"field": "mood", "any_of": [1, 2]},
                   labels=[{"value": "yes", "title": "Yes", "hotkey": "y"},
                           {"value": "no", "title": "No", "hotkey": "n"}]),
        ]},
        30_000, 3, (6, 12), _reviews,
    ),
    Exhibit(
        "Names in the news", NAMES_WORDS,
        {"data": [_data("sentence", "text", "Sentence")], "answer": [
            _asked("names", "spans", "Names and dates", of="sentence", labels=NAMES_LABELS),
        ]},
        35_000, 3, (7, 13), _news, _spotted,
    ),
    Exhibit(
        "Two answers: which is better?", ANSWERS_WORDS,
        {"data": [_data("question", "text", "Question"), _data("one", "text", "Answer A"),
                  _data("other", "text", "Answer B")],
         "answer": [_asked("better", "preference", "Which answer is better?", left="one", right="other", strengths=3,
                           equal=True)]},
        35_000, 3, (7, 13), _answers,
    ),
    Exhibit(
        "Handwritten digits: the second box", digits.INSTRUCTIONS, digits.interface(), 6_000, 3, (1.6, 2.4), _digits,
        guests=1, page=5, gold=8,
    ),
    Exhibit(
        "Streets: box what you see", STREET_WORDS,
        {"data": [PICTURE], "answer": [
            _asked("things", "boxes", "Cars, people, trees and traffic lights", of="picture", labels=STREET_LABELS,
                   width=pictures.STREET[0], height=pictures.STREET[1], min_size=4, min=1),
        ]},
        70_000, 2, (13, 22), _streets, _boxed, guests=3,
    ),
    Exhibit(
        "Leaves: cut them out", LEAF_WORDS,
        {"data": [PICTURE], "answer": [
            _asked("leaves", "polygons", "Outlines of the leaves", of="picture", labels=LEAF_LABELS,
                   width=pictures.LEAVES[0], height=pictures.LEAVES[1], min=1),
        ]},
        80_000, 2, (15, 24), _leaves, _outlined, guests=3,
    ),
    Exhibit(
        "Dancers: mark head, hands and feet", DANCE_WORDS,
        {"data": [PICTURE], "answer": [
            _asked("dancer", "keypoints", "The dancer", of="picture", min=1, max=1,
                   labels=[_label("person", "Dancer", "The person who dances.", hotkey="d")],
                   skeletons={"person": {"points": list(pictures.JOINTS), "edges": [list(b) for b in pictures.BONES]}}),
        ]},
        45_000, 2, (9, 15), _dancers, _pointed,
    ),
    Exhibit(
        "Sounds of the harbour", HARBOUR_WORDS,
        {"data": [RECORDING], "answer": [
            _asked("sounds", "segments", "What you hear, and when", of="recording", labels=HARBOUR_LABELS,
                   duration=sounds.SECONDS, min_duration=0.1, collar=0.1),
        ]},
        60_000, 2, (11, 19), _harbours, _heard, guests=3,
    ),
    Exhibit(
        "Fog signals: write them down", SIGNAL_WORDS,
        {"data": [RECORDING], "answer": [
            _asked("signal", "transcription", "The signal in words", of="recording", timestamps=False, max_length=200),
        ]},
        35_000, 2, (8, 13), _signals,
    ),
)  # fmt: skip

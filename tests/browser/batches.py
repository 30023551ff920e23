"""A published batch for each type of answer, with real pictures and sounds, and the answers that were stored.

Everything here speaks to the database: call it by `market.beside`.
"""

from math import pi, sin
from typing import Any

from marketplace.batches.models import Batch
from tests import factories as make
from tests.crowd import png, wav
from workers.assignments.models import Answer, Assignment, Draft
from workers.profiles.models import Worker

WIDTH, HEIGHT = 480, 320
# What is drawn on the picture of task 0, as x, y, width, height: a shape to put a box around or to outline.
DARK, LIGHT = (80, 60, 120, 90), (300, 180, 100, 80)
SOUND_S = 4.0
# Where the tone of task 0 sounds; the rest of the four seconds is silent.
TONE = (1.0, 2.5)
SENTENCE = "Grace Hopper wrote to Ada Lovelace from Zürich on 3 May 1843. 🎈 The letter reached London a week later."
INSTRUCTIONS = """## How to

Look well, then answer. When in doubt:

1. read the label's **definition**;
2. say that the task is *unclear*.
"""

PETS = [
    {
        "value": "cat",
        "title": "Cat",
        "definition": "A cat of any age and breed.",
        "includes": ["kittens"],
        "excludes": ["lions and tigers"],
        "examples": ["A tabby on a sofa"],
        "hotkey": "c",
    },
    {"value": "dog", "title": "Dog", "definition": "A dog of any breed.", "excludes": ["wolves"], "hotkey": "d"},
    {"value": "bird", "title": "Bird"},
]
SHAPES = [{"value": "dark", "title": "Dark shape", "hotkey": "1"}, {"value": "light", "title": "Light shape"}]
TREE = [
    {
        "value": "animal",
        "title": "Animal",
        "children": [
            {"value": "mammal", "title": "Mammal", "children": [{"value": "dog"}, {"value": "horse"}]},
            {"value": "fish", "title": "Fish"},
        ],
    },
    {"value": "plant", "title": "Plant", "children": [{"value": "tree", "title": "Tree"}, {"value": "moss"}]},
]
ENTITIES = [
    {"value": "person", "title": "Person", "hotkey": "p"},
    {"value": "place", "title": "Place"},
    {"value": "date", "title": "Date"},
]
RELATIONS = [{"value": "was_in", "title": "Was in", "from": ["person"], "to": ["place"]}]
SPEAKERS = [{"value": "tone", "title": "Tone", "hotkey": "t"}, {"value": "noise", "title": "Noise"}]
HAND = {"points": ["wrist", "thumb", "little"], "edges": [["wrist", "thumb"], ["wrist", "little"]]}
PICTURE_SIZE = {"width": WIDTH, "height": HEIGHT}


def picture(number: int = 0) -> str:
    """A grey picture with a dark and a light rectangle; each number has them somewhere else."""
    pixels = [[200] * WIDTH for _ in range(HEIGHT)]
    for (left, top, width, height), grey in ((DARK, 40), (LIGHT, 250)):
        upper = (top + 5 * number) % (HEIGHT - height)
        for y in range(upper, upper + height):
            pixels[y][left : left + width] = [grey] * width
    return png.data_uri(pixels)


def sound(number: int = 0) -> str:
    """Four seconds of which a tone sounds in `TONE`; each number has a tone of its own."""
    pitch, (start, end) = 330 * (number + 1), TONE
    times = (at / wav.RATE for at in range(int(SOUND_S * wav.RATE)))
    return wav.data_uri([0.6 * sin(2 * pi * pitch * at) if start <= at < end else 0.0 for at in times])


DATA: dict[str, dict[str, Any]] = {
    "text": {"name": "text", "type": "text", "title": "Text"},
    "image": {"name": "picture", "type": "image", "title": "Picture"},
    "audio": {"name": "sound", "type": "audio", "title": "Sound"},
    "left": {"name": "one", "type": "text", "title": "First answer"},
    "right": {"name": "other", "type": "text", "title": "Second answer"},
}
# By the name of the kind: which data its tasks show, and the declaration of its answer field, which is called `answer`.
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "choice": (("text",), {"type": "choice", "title": "Which animal?", "labels": PETS}),
    "multiple": (("text",), {"type": "choice", "title": "Which animals?", "labels": PETS, "multiple": True, "max": 2}),
    "taxonomy": (("text",), {"type": "taxonomy", "title": "What kind?", "tree": TREE}),
    "rating": (("text",), {"type": "rating", "title": "How good?", "labels": ["Bad", "Poor", "Fair", "Good", "Great"]}),
    "text": (("image",), {"type": "text", "title": "Describe it", "max_length": 200}),
    "number": (("image",), {"type": "number", "title": "How many?", "minimum": 0, "maximum": 99, "integer": True}),
    "preference": (
        ("left", "right"),
        {"type": "preference", "title": "Which is better?", "left": "one", "right": "other", "strengths": 3,
         "equal": True},
    ),
    "ranking": (
        ("text",),
        {"type": "ranking", "title": "Put in order", "items": [{"value": name} for name in ("A", "B", "C", "D")]},
    ),
    "boxes": (("image",), {"type": "boxes", "title": "Box the shapes", "of": "picture", "labels": SHAPES, "min": 1,
                           "min_size": 4, **PICTURE_SIZE}),
    "polygons": (("image",), {"type": "polygons", "title": "Outline the shapes", "of": "picture", "labels": SHAPES,
                              **PICTURE_SIZE}),
    "polylines": (("image",), {"type": "polylines", "title": "Trace the edges", "of": "picture", "labels": SHAPES}),
    "keypoints": (
        ("image",),
        {"type": "keypoints", "title": "Mark the hand", "of": "picture", "labels": [{"value": "hand", "title": "Hand"}],
         "skeletons": {"hand": HAND}},
    ),
    "spans": (("text",), {"type": "spans", "title": "Mark the names", "of": "text", "labels": ENTITIES}),
    "relations": (
        ("text",),
        {"type": "spans", "title": "Mark who was where", "of": "text", "labels": ENTITIES, "relations": RELATIONS},
    ),
    "segments": (("audio",), {"type": "segments", "title": "Mark the tones", "of": "sound", "labels": SPEAKERS,
                              "min_duration": 0.1}),
    "transcription": (("audio",), {"type": "transcription", "title": "Write down what you hear", "of": "sound"}),
    "transcript": (
        ("audio",),
        {"type": "transcription", "title": "Write down what you hear", "of": "sound", "timestamps": False},
    ),
}  # fmt: skip


def interface_of(kind: str) -> dict[str, Any]:
    """The interface of a kind of `KINDS`."""
    data, answer = KINDS[kind]
    return {"data": [DATA[name] for name in data], "answer": [{"name": "answer", **answer}]}


def data_of(kind: str, number: int) -> dict[str, Any]:
    """The data of a task of a kind, different for each number."""
    made = {
        "text": lambda: SENTENCE if number == 0 else f"Task {number}. {SENTENCE}",
        "image": lambda: picture(number),
        "audio": lambda: sound(number),
        "left": lambda: f"A short answer, number {number}.",
        "right": lambda: f"A longer answer to the same question, number {number}, with a reason given.",
    }
    return {DATA[name]["name"]: made[name]() for name in KINDS[kind][0]}


def make_batch(
    kind: str | dict[str, Any], tasks: int = 5, *, rows: list[dict[str, Any]] | None = None, **terms: Any
) -> Batch:
    """A published batch of a kind of `KINDS`, or of a whole interface with the rows of data given. `terms` as of
    `factories.make_draft`: name, price_micros, overlap, lease_cap, …"""
    interface = interface_of(kind) if isinstance(kind, str) else kind
    if rows is None:
        assert isinstance(kind, str), "an interface of one's own needs rows of one's own"
        rows = [data_of(kind, number) for number in range(tasks)]
    name = terms.pop("name", f"A batch of {kind}" if isinstance(kind, str) else "A batch")
    project = make.make_project(interface=interface, instructions=INSTRUCTIONS)
    batch = make.make_draft(project, name=name, overlap=terms.pop("overlap", 1), **terms)
    make.add_rows(batch, [{"external_id": f"t{number}", "data": data} for number, data in enumerate(rows)])
    return make.published(batch)


def stored(worker: Worker, batch: Batch | None = None) -> list[dict[str, Any]]:
    """The values of the answers that a worker gave, in order of submission; the last revision of each."""
    answers = Answer.objects.filter(assignment__worker=worker).order_by("assignment_id", "revision")
    if batch is not None:
        answers = answers.filter(batch_id=batch.pk)
    last = {answer.assignment_id: answer for answer in answers}
    return [answer.values for answer in sorted(last.values(), key=lambda answer: answer.submitted_at)]


def drafts(worker: Worker) -> list[dict[str, Any]]:
    """The values of the drafts kept for a worker, by assignment."""
    kept = Draft.objects.filter(assignment__worker=worker).order_by("assignment_id")
    return [draft.values for draft in kept]


def states(worker: Worker) -> list[str]:
    """The states of all that a worker ever took, by assignment."""
    return list(Assignment.objects.filter(worker=worker).order_by("pk").values_list("state", flat=True))

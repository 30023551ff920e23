"""What the demo labels: the handwritten digits that come with scikit-learn, as pictures with their true labels."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from random import Random

from tests.crowd.png import data_uri, upscale
from tests.crowd.transport import Json

FIELD = "digit"
UPSCALE = 8
INK_MAX = 16  # the darkest value in scikit-learn's images of 8 by 8

# (title, definition, includes, excludes)
GUIDE = (
    ("Zero", "One closed loop, taller than wide.", "loops that do not quite close", "a loop with a stroke inside: 8"),
    ("One", "A single upright stroke.", "strokes with a foot or a flag", "a flag as long as the stroke: 7"),
    ("Two", "A curve that ends in a flat foot.", "twos with a small loop at the foot", "a sharp turn at the top: 7"),
    ("Three", "Two bows, both open to the left.", "threes with a flat top", "bows closed on the left: 8"),
    ("Four", "Two strokes that cross, open or closed at the top.", "open fours", "a round closed top: 9"),
    ("Five", "A flat top, a short upright and a bow.", "fives whose top stands apart", "a closed lower bow: 6"),
    ("Six", "A stroke that ends in a closed lower loop.", "loops that barely close", "an open lower bow: 5"),
    ("Seven", "A flat top and one slanting stroke.", "sevens with a bar", "a flag shorter than half: 1"),
    ("Eight", "Two closed loops, one above the other.", "loops of unequal size", "an open upper loop: 6"),
    ("Nine", "A closed upper loop on a stroke.", "nines with a straight leg", "an open, angular top: 4"),
)

INSTRUCTIONS = """# Which digit is it?

You see one handwritten digit, enlarged. Choose the digit that its writer most probably meant.

- Press the key of the digit, or click it.
- If two digits seem possible, read the definitions: each says what tells it from its neighbours.
- If nobody could tell, say that it is unclear.
"""


class NoDigits(Exception):
    """The images are not there, or not as many as asked for; one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Digit:
    """One picture with its true label; a `gold` one is imported with its key."""

    external_id: str
    data: Json
    truth: str
    gold: bool

    def row(self) -> Json:
        """As imported."""
        row: Json = {"external_id": self.external_id, "data": self.data}
        return row | {"gold": {FIELD: self.truth}} if self.gold else row


def interface() -> Json:
    """One picture, one choice of ten."""
    labels = [
        {
            "value": str(digit),
            "title": title,
            "definition": definition,
            "includes": [includes],
            "excludes": [excludes],
            "hotkey": str(digit),
        }
        for digit, (title, definition, includes, excludes) in enumerate(GUIDE)
    ]
    image = {"name": "image", "type": "image", "title": "Handwritten digit", "required": True}
    choice = {"name": FIELD, "type": "choice", "title": "Digit", "required": True, "multiple": False, "labels": labels}
    return {"data": [image], "answer": [choice]}


def load(count: int, *, seed: int, gold_share: float) -> list[Digit]:
    """`count` different pictures in an order drawn by the seed, a share of them gold. Raises `NoDigits`."""
    try:
        datasets = importlib.import_module("sklearn.datasets")  # demo only, and slow: not at the top
    except ImportError as why:
        raise NoDigits("The demo labels images that come with scikit-learn; install scikit-learn first.") from why
    images, targets = datasets.load_digits(return_X_y=True)
    if not 1 <= count <= len(targets):
        raise NoDigits(f"There are {len(targets)} digits, so --tasks goes from 1 to {len(targets)}.")
    draws = Random(f"digits {seed}")
    chosen = draws.sample(range(len(targets)), count)
    gold = set(draws.sample(chosen, round(count * gold_share)))
    digits: list[Digit] = []
    for index in chosen:
        ink = images[index].reshape(8, 8)
        paper = [[255 - int(value) * 255 // INK_MAX for value in row] for row in ink]
        digits.append(
            Digit(
                external_id=f"digit-{index:04d}",
                data={"image": data_uri(upscale(paper, UPSCALE))},
                truth=str(int(targets[index])),
                gold=index in gold,
            )
        )
    return digits

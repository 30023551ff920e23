"""What an answer says, in forms that no type has to itself.

Types say which parts their values have, and writers of files know parts. So neither has a list of the other.
"""

from dataclasses import dataclass
from enum import StrEnum

Point = tuple[float, float]


class Visibility(StrEnum):
    """Whether a point of a skeleton is seen."""

    VISIBLE = "visible"
    OCCLUDED = "occluded"
    ABSENT = "absent"


@dataclass(frozen=True)
class Class:
    """The item as a whole is of these classes; `path` says that each is within the one before (a taxonomy)."""

    labels: tuple[str, ...]
    path: bool = False


@dataclass(frozen=True)
class Text:
    """Free text about the item."""

    text: str


@dataclass(frozen=True)
class Number:
    """A number; `scale` is how many points it may have where it is a rating."""

    number: float
    scale: int | None = None


@dataclass(frozen=True)
class Order:
    """Items from the best on; those of one level are equal. A preference of two has two."""

    levels: tuple[tuple[str, ...], ...]
    strength: int | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, x and y of its upper left corner."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Polygon:
    """A closed shape in pixels; the first point is not said again."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Polyline:
    """An open line in pixels."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Keypoints:
    """A skeleton: the points of its label in the declared order, (name, x, y, visibility); an absent one is at 0, 0."""

    label: str
    points: tuple[tuple[str, float, float, Visibility], ...]


@dataclass(frozen=True)
class Mask:
    """Pixels of a picture of `height` x `width`, as COCO's uncompressed run lengths: down the columns, zeros first.
    `instance` tells objects of one label apart; None where only the class of each pixel is said."""

    label: str
    height: int
    width: int
    counts: tuple[int, ...]
    instance: int | None = None


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` (not included) of the text in the data field `of`."""

    label: str
    start: int
    end: int
    of: str
    id: str = ""


@dataclass(frozen=True)
class Relation:
    """Span `head` stands to span `tail` as the label says."""

    label: str
    head: str
    tail: str


@dataclass(frozen=True)
class Segment:
    """A stretch of sound or film in seconds; with what is said in it, or with a label, or both."""

    start: float
    end: float
    label: str = ""
    text: str = ""


@dataclass(frozen=True)
class KeyFrame:
    """Where an object of a film is in a frame.

    Between two key frames it is on the line; after one that is `outside` it is not there until the next.
    """

    frame: int
    x: float
    y: float
    width: float
    height: float
    outside: bool = False
    occluded: bool = False


@dataclass(frozen=True)
class Track:
    """An object of a film."""

    label: str
    frames: tuple[KeyFrame, ...]


@dataclass(frozen=True)
class Cuboid:
    """A box in space: its middle and sides in metres, turned by `yaw` radians around the upright axis."""

    label: str
    x: float
    y: float
    z: float
    length: float
    width: float
    height: float
    yaw: float


Part = (
    Class
    | Text
    | Number
    | Order
    | Box
    | Polygon
    | Polyline
    | Keypoints
    | Mask
    | Span
    | Relation
    | Segment
    | Track
    | Cuboid
)

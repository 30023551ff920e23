"""Scenes drawn by a seed, with the truth about them: streets with boxes, leaves with outlines, people with joints."""

from __future__ import annotations

from math import cos, pi, radians, sin
from random import Random
from typing import Any

from tests.crowd.gallery.canvas import Canvas, Colour, Place

Scene = tuple[str, list[dict[str, Any]]]

STREET = (640, 400)
LEAVES = (520, 380)
FIGURE = (460, 400)
WALLS: tuple[Colour, ...] = ((196, 164, 132), (176, 120, 100), (150, 160, 172), (208, 196, 168), (140, 132, 148))
PAINT: tuple[Colour, ...] = ((188, 56, 48), (44, 92, 156), (232, 232, 228), (64, 72, 80), (224, 168, 44), (60, 124, 92))
CLOTHES: tuple[Colour, ...] = ((52, 84, 140), (168, 60, 84), (72, 120, 76), (212, 140, 60), (92, 72, 128))
SKIN: tuple[Colour, ...] = ((236, 196, 164), (196, 144, 108), (128, 84, 60), (92, 60, 44))
GREENS: tuple[Colour, ...] = ((72, 124, 60), (104, 144, 52), (172, 132, 44), (164, 80, 44), (56, 104, 80))
GLASS: Colour = (176, 204, 220)
DARK: Colour = (40, 40, 44)


def street(seed: int) -> Scene:
    """A street with cars, people, trees and traffic lights; the boxes around them."""
    draws = Random(f"street {seed}")
    width, height = STREET
    canvas = Canvas(width, height, (140, 188, 224), (216, 228, 232))
    canvas.disc(draws.uniform(60, 580), draws.uniform(40, 80), 24, (252, 236, 172))
    kerb, x = 230, 0.0
    while x < width:
        wide, high = draws.uniform(80, 130), draws.uniform(100, 190)
        _house(canvas, draws, x, kerb - high, wide, high)
        x += wide
    canvas.box(0, kerb, width, 40, (188, 184, 176))
    canvas.box(0, kerb + 40, width, height - kerb - 40, (96, 100, 104))
    for dash in range(0, width, 80):
        canvas.box(dash + draws.uniform(0, 6), 342, 44, 5, (228, 224, 204))
    found: list[dict[str, Any]] = []
    places = draws.sample(range(7), draws.randint(4, 5))
    for place in sorted(places):
        left = 24 + place * 88 + draws.uniform(-8, 8)
        found.append(draws.choice((_person, _person, _tree, _light))(canvas, draws, left, kerb + 34))
    lanes = [(draws.uniform(20, 230), 326.0), (draws.uniform(350, 470), 326.0), (draws.uniform(120, 400), 392.0)]
    for left, wheels in draws.sample(lanes, draws.randint(1, 3)):
        found.append(_car(canvas, draws, left, wheels))
    return canvas.data_uri(), found


def leaves(seed: int) -> Scene:
    """Two or three leaves on a table, apart from each other; their outlines."""
    draws = Random(f"leaves {seed}")
    width, height = LEAVES
    canvas = Canvas(width, height, (236, 228, 212), (220, 208, 188))
    for line in range(0, height, 63):
        canvas.box(0, line, width, 1.4, (204, 192, 170))
    found = []
    slots = draws.sample([(130, 110), (385, 110), (130, 275), (385, 275)], draws.randint(2, 3))
    for x, y in slots:
        lobed = draws.random() < 0.45
        label, reach, turn = "lobed" if lobed else "plain", draws.uniform(70, 86), draws.uniform(0, 2 * pi)
        points = [_on_leaf(x, y, reach, turn, 2 * pi * at / 72, lobed=lobed) for at in range(72)]
        colour = draws.choice(GREENS)
        canvas.outline([(px + 5, py + 6) for px, py in points], (196, 184, 164))
        canvas.outline(points, colour)
        darker: Colour = (colour[0] * 3 // 4, colour[1] * 3 // 4, colour[2] * 3 // 4)
        tip, foot = points[0], points[36]
        canvas.stroke([tip, foot], 2.2, darker)
        for at in range(6, 36, 5):
            middle = (foot[0] + (tip[0] - foot[0]) * (1 - at / 42), foot[1] + (tip[1] - foot[1]) * (1 - at / 42))
            for side in (points[at], points[-at]):
                share = 0.5 if lobed else 0.8
                end = (middle[0] + (side[0] - middle[0]) * share, middle[1] + (side[1] - middle[1]) * share)
                canvas.stroke([middle, end], 1.2, darker)
        found.append({"label": label, "points": [[round(px, 1), round(py, 1)] for px, py in points[::3]]})
    return canvas.data_uri(), found


JOINTS = ("head", "left_hand", "right_hand", "hip", "left_foot", "right_foot")
BONES = (("head", "hip"), ("head", "left_hand"), ("head", "right_hand"), ("hip", "left_foot"), ("hip", "right_foot"))


def figure(seed: int) -> Scene:
    """Somebody who dances; where the joints are."""
    draws = Random(f"figure {seed}")
    width, height = FIGURE
    canvas = Canvas(width, height, (228, 236, 240), (204, 216, 224))
    canvas.box(0, 340, width, 60, (184, 168, 148))
    shirt, trousers, skin = draws.choice(CLOTHES), draws.choice(CLOTHES), draws.choice(SKIN)
    x, hip_y, lean = draws.uniform(170, 290), draws.uniform(222, 244), draws.uniform(-18, 18)
    hip, neck = (x, hip_y), (x + lean, hip_y - 92)
    head = (neck[0] + lean / 3, neck[1] - 32)
    joints: dict[str, Place] = {"head": head, "hip": hip}
    for side, name in ((-1, "left"), (1, "right")):
        knee = _away(hip, side * draws.uniform(8, 34), 52)
        foot = _away(knee, side * draws.uniform(-14, 26), 54)
        canvas.stroke([(hip[0] + side * 7, hip[1]), knee, foot], 19, trousers)
        canvas.stroke([foot, (foot[0] + side * 12, foot[1] + 2)], 13, DARK)
        joints[f"{name}_foot"] = foot
    canvas.stroke([hip, neck], 44, shirt)
    for side, name in ((-1, "left"), (1, "right")):
        shoulder = (neck[0] + side * 20, neck[1] + 6)
        elbow = _away(shoulder, side * draws.uniform(20, 120), 44)
        hand = _away(elbow, side * draws.uniform(30, 165), 44)
        canvas.stroke([shoulder, elbow], 16, shirt)
        canvas.stroke([elbow, hand], 12, skin)
        canvas.disc(*hand, 9, skin)
        joints[f"{name}_hand"] = hand
    canvas.stroke([neck, head], 14, skin)
    canvas.disc(*head, 23, skin, tall=1.15)
    canvas.disc(head[0], head[1] - 14, 22, DARK, tall=0.7)
    points = {
        name: {"x": round(joints[name][0], 1), "y": round(joints[name][1], 1), "visibility": "visible"}
        for name in JOINTS
    }
    return canvas.data_uri(), [{"label": "person", "points": points}]


def _away(start: Place, degrees: float, length: float) -> Place:
    """So far from a place, straight down at 0 degrees, to the right at 90."""
    return start[0] + length * sin(radians(degrees)), start[1] + length * cos(radians(degrees))


def _on_leaf(x: float, y: float, reach: float, turn: float, angle: float, *, lobed: bool) -> Place:
    wave = (
        0.58 + 0.2 * cos(angle) + 0.2 * cos(5 * angle)
        if lobed
        else 0.36 + 0.3 * cos(angle) ** 2 + 0.3 * abs(cos(angle / 2)) ** 9
    )
    return x + reach * wave * cos(angle + turn), y + reach * wave * sin(angle + turn)


def _house(canvas: Canvas, draws: Random, x: float, y: float, width: float, height: float) -> None:
    canvas.box(x, y, width, height, draws.choice(WALLS))
    canvas.box(x, y, width, 6, (112, 92, 84))
    for row in range(int(height // 44)):
        for column in range(int(width // 34)):
            lit = draws.random() < 0.2
            canvas.box(x + 12 + column * 34, y + 18 + row * 44, 17, 24, (248, 224, 152) if lit else (92, 108, 124))


def _boxed(label: str, x: float, y: float, width: float, height: float) -> dict[str, Any]:
    right, bottom = min(x + width, STREET[0]), min(y + height, STREET[1])
    x, y = max(0.0, x), max(0.0, y)
    return {
        "label": label,
        "x": round(x, 1),
        "y": round(y, 1),
        "width": round(right - x, 1),
        "height": round(bottom - y, 1),
    }


def _person(canvas: Canvas, draws: Random, x: float, foot: float) -> dict[str, Any]:
    skin, stride = draws.choice(SKIN), draws.uniform(4, 9)
    for side in (-1, 1):
        canvas.stroke([(x + 12, foot - 30), (x + 12 + side * stride, foot - 4)], 8, draws.choice(CLOTHES))
    canvas.stroke([(x + 12, foot - 58), (x + 12, foot - 34)], 20, draws.choice(CLOTHES))
    canvas.disc(x + 12, foot - 78, 9, skin, tall=1.2)
    return _boxed("person", x + 2 - max(0, stride - 6), foot - 90, 20 + 2 * max(0, stride - 6), 90)


def _tree(canvas: Canvas, draws: Random, x: float, foot: float) -> dict[str, Any]:
    crown, high = draws.uniform(28, 36), draws.uniform(96, 120)
    canvas.box(x + 22, foot - high + 20, 9, high - 20, (104, 76, 56))
    green = draws.choice(GREENS[:2])
    canvas.disc(x + 26, foot - high, crown, green)
    canvas.disc(x + 18, foot - high + 10, crown * 0.6, (green[0] - 12, green[1] - 12, green[2] - 12))
    return _boxed("tree", x + 26 - crown, foot - high - crown, 2 * crown, high + crown)


def _light(canvas: Canvas, draws: Random, x: float, foot: float) -> dict[str, Any]:
    canvas.box(x + 12, foot - 96, 5, 96, (72, 76, 80))
    canvas.box(x + 5, foot - 140, 19, 48, DARK)
    on = draws.randrange(3)
    for at, colour in enumerate(((220, 60, 48), (232, 188, 64), (84, 184, 96))):
        dim: Colour = (colour[0] // 3, colour[1] // 3, colour[2] // 3)
        canvas.disc(x + 14.5, foot - 132 + at * 16, 6, colour if at == on else dim)
    return _boxed("light", x + 5, foot - 140, 19, 140)


def _car(canvas: Canvas, draws: Random, x: float, wheels: float) -> dict[str, Any]:
    paint, long = draws.choice(PAINT), draws.uniform(126, 152)
    canvas.outline(
        [(x + 24, wheels - 34), (x + 44, wheels - 60), (x + long - 46, wheels - 60), (x + long - 20, wheels - 34)],
        paint,
    )
    canvas.outline(
        [(x + 34, wheels - 36), (x + 48, wheels - 54), (x + long - 50, wheels - 54), (x + long - 32, wheels - 36)],
        GLASS,
    )
    canvas.box(x + long / 2 - 3, wheels - 56, 6, 22, paint)
    canvas.box(x, wheels - 36, long, 26, paint)
    canvas.box(x, wheels - 30, 8, 8, (248, 232, 168))
    canvas.box(x + long - 7, wheels - 30, 7, 8, (200, 52, 44))
    for wheel in (x + 28, x + long - 30):
        canvas.disc(wheel, wheels - 12, 13, DARK)
        canvas.disc(wheel, wheels - 12, 6, (168, 172, 176))
    return _boxed("car", x, wheels - 60, long, 61)

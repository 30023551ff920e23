"""Work that draws on pictures, films and scenes."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from marketplace.projects.starters.base import Starter

PICTURE = {"name": "picture", "type": "image", "title": "Picture"}
HOUSE: dict[str, Any] = {
    "value": "house",
    "title": "House",
    "definition": "A building with walls and a roof in which people live or work.",
    "includes": ["houses that are cut off by the edge"],
    "excludes": ["garden sheds, bridges, towers"],
    "hotkey": "h",
}
TREE: dict[str, Any] = {
    "value": "tree",
    "title": "Tree",
    "definition": "A plant with a trunk, higher than a person.",
    "excludes": ["bushes and hedges"],
    "hotkey": "t",
}
TIGHT = """- Draw as tight as you can: every part of it inside, and as little else as possible.
- What is hidden behind something else is not drawn: stop where you stop seeing it.
- Smaller than about ten pixels? Leave it out.
- Nothing to mark? Submit the task without a mark."""

BOXES = Starter(
    type="boxes",
    title=_("Box objects in a picture"),
    summary=_("A rectangle around each object: quick, and enough for most detectors."),
    interface={
        "data": [PICTURE],
        "answer": [
            {"name": "objects", "type": "boxes", "title": "Put a box around each house and each tree",
             "of": "picture", "labels": [HOUSE, TREE], "min_size": 4},
        ],
    },
    instructions=f"""## What this is about

Draw a box around **every** house and every tree.

## How to

1. Choose the label, then draw from one corner of the object to the opposite one.
2. Pull at the edges until the box is tight.
3. Go through the picture from left to right, so that you miss none.

## Rules

{TIGHT}
- Several that touch get a box each.
""",
)  # fmt: skip

POLYGONS = Starter(
    type="polygons",
    title=_("Outline objects in a picture"),
    summary=_("The exact outline of each object, point by point."),
    interface={
        "data": [PICTURE],
        "answer": [
            {"name": "outlines", "type": "polygons", "title": "Outline each house", "of": "picture",
             "labels": [HOUSE, TREE]},
        ],
    },
    instructions=f"""## What this is about

Draw the outline of every house and every tree.

## How to

1. Choose the label, then set points along the edge; a click on the first point closes the outline.
2. Straight edges need a point at each corner only. Curves need more.
3. Drag a point to move it; the small marks between points add one.

## Rules

{TIGHT}
- Holes, as the gap in an arch, belong to the outline.
""",
)  # fmt: skip

POLYLINES = Starter(
    type="polylines",
    title=_("Trace lines in a picture"),
    summary=_("Roads, lanes, cracks, cables."),
    interface={
        "data": [PICTURE],
        "answer": [
            {"name": "lines", "type": "polylines", "title": "Trace each path", "of": "picture",
             "labels": [
                 {"value": "path", "title": "Path", "definition": "A way that people walk on.", "hotkey": "p"},
                 {"value": "road", "title": "Road", "definition": "A way that cars drive on.", "hotkey": "r"},
             ]},
        ],
    },
    instructions="""## What this is about

Trace the middle of every path and every road.

## How to

1. Choose the label, then set points along the **middle** of it. *Enter* ends the line.
2. Set more points in curves, few where it is straight.
3. Begin and end where you stop seeing it.

## Rules

- Where two cross, each goes on as a line of its own.
- Where something hides a short piece of it, go on straight across.
- Nothing to trace? Submit the task without a mark.
""",
)  # fmt: skip

KEYPOINTS = Starter(
    type="keypoints",
    title=_("Mark points of a body or a thing"),
    summary=_("Joints, corners of a face, the four wheels: named points joined to a skeleton."),
    interface={
        "data": [PICTURE],
        "answer": [
            {"name": "points", "type": "keypoints", "title": "Mark the corners of each house", "of": "picture",
             "labels": [HOUSE],
             "skeletons": {
                 "house": {
                     "points": ["left_ground", "left_eaves", "ridge", "right_eaves", "right_ground"],
                     "edges": [["left_ground", "left_eaves"], ["left_eaves", "ridge"], ["ridge", "right_eaves"],
                               ["right_eaves", "right_ground"], ["right_ground", "left_ground"]],
                 }
             }},
        ],
    },
    instructions="""## What this is about

Mark five points of every house, seen from the front: both corners on the ground, both ends of the eaves, and the ridge.

## How to

1. The page asks for the points one after the other: set each with a click.
2. A point that you cannot see, but know where it must be: set it there and mark it as *hidden*.
3. A point outside the picture, or one that you could only guess: mark it as *not there*.

## Rules

- Left and right are as **you** see them.
- Houses in the distance of which you could not tell the points: leave out.
""",
)  # fmt: skip

MASK = Starter(
    type="mask",
    title=_("Paint regions of a picture"),
    summary=_("Every pixel gets a class. Done with a drawing tool over the API, not on this site's pages yet."),
    interface={
        "data": [PICTURE],
        "answer": [
            {"name": "regions", "type": "mask", "title": "Paint sky, ground and buildings", "of": "picture",
             "mode": "semantic",
             "labels": [
                 {"value": "sky", "title": "Sky", "definition": "Air, clouds, sun.", "hotkey": "s"},
                 {"value": "ground", "title": "Ground", "definition": "Earth, grass, ways, water.", "hotkey": "g"},
                 {"value": "building", "title": "Building", "definition": HOUSE["definition"], "hotkey": "b"},
             ]},
        ],
    },
    instructions="""## What this is about

Paint what is sky, what is ground and what is building.

## How to

1. Begin with the largest region and work down to the small ones.
2. At edges, make the picture larger and paint pixel by pixel.

## Rules

- Each pixel has one class at most. What is none of the three stays free.
- Wires, antennas and leaves against the sky that are thinner than three pixels are sky.
""",
    here=False,
)  # fmt: skip

TRACKS = Starter(
    type="tracks",
    title=_("Follow objects through a film"),
    summary=_("A box that moves with its object. Done with a tool over the API, not on this site's pages yet."),
    interface={
        "data": [{"name": "film", "type": "video", "title": "Film"}],
        "answer": [
            {"name": "tracks", "type": "tracks", "title": "Follow each vehicle", "of": "film",
             "labels": [
                 {"value": "car", "title": "Car", "definition": "With four wheels and an engine.", "hotkey": "c"},
                 {"value": "bicycle", "title": "Bicycle", "definition": "With its rider, if there is one.",
                  "hotkey": "b"},
             ]},
        ],
    },
    instructions="""## What this is about

Put a box around every car and bicycle, and keep it there for as long as it is in the film.

## How to

1. Set the box in the first frame in which the object is seen by half.
2. Go on until the box no longer fits, and set it again. In between it moves by itself.
3. Where the object leaves the picture, mark it as *outside*; where something hides it, as *hidden*.

## Rules

- One object keeps one track, also when it comes back.
- Parked vehicles count.
""",
    here=False,
)  # fmt: skip

CUBOIDS = Starter(
    type="cuboids",
    title=_("Box objects in space"),
    summary=_("Cuboids in scans and depth pictures. Done with a tool over the API, not on this site's pages yet."),
    interface={
        "data": [{"name": "scene", "type": "url", "title": "Scene"}],
        "answer": [
            {"name": "objects", "type": "cuboids", "title": "Box each vehicle", "of": "scene",
             "labels": [
                 {"value": "car", "title": "Car", "definition": "With four wheels and an engine.", "hotkey": "c"},
                 {"value": "pedestrian", "title": "Pedestrian", "definition": "A person on foot.", "hotkey": "p"},
             ]},
        ],
    },
    instructions="""## What this is about

Each scene is a scan of a street. Put a cuboid around every car and every pedestrian.

## How to

1. Find the object from above, then look at it from the side to set its height.
2. Turn the cuboid so that its front looks where the object goes.

## Rules

- The cuboid holds the whole object, also the side that the scan does not show: think of its usual size.
- Fewer than ten points of it in the scan? Leave it out.
""",
    sample={"scene": "https://example.org/scenes/0001.pcd"},
    here=False,
)  # fmt: skip

PICTURES = (BOXES, POLYGONS, POLYLINES, KEYPOINTS, MASK, TRACKS, CUBOIDS)

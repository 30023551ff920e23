"""Which modules a page will need, so that the browser fetches them at once instead of one after another."""

from collections.abc import Mapping
from typing import Any

SHARED = ["pages/dom.js", "pages/i18n.js", "pages/api.js", "pages/keys.js", "pages/format.js"]
PLAYER = ["asked", "clock", "desk", "drafts", "history", "keyring", "preload", "sheets", "store", "task", "data/index",
          "tools/index"]  # fmt: skip
# As work/player/tools/index.js has them: the module of a type where it is not called like it.
TOOLS = {
    "boxes": "shapes",
    "polygons": "shapes",
    "polylines": "shapes",
    "keypoints": "shapes",
    "mask": "later",
    "tracks": "later",
    "cuboids": "later",
}


def player_modules(interface: Mapping[str, Any]) -> list[str]:
    """Static files of the player for an interface, in a fixed order; what those import besides comes by itself."""
    data = sorted({f"data/{field['type']}" for field in interface["data"]})
    tools = sorted({f"tools/{TOOLS.get(field['type'], field['type'])}" for field in interface["answer"]})
    return [*SHARED, *(f"work/player/{name}.js" for name in [*PLAYER, *data, *tools])]

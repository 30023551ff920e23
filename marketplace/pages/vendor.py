"""Libraries for the browser: which files of node_modules the site serves, and under which names modules import them."""

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage
from django.templatetags.static import static

log = logging.getLogger("touchstone.pages")

# By the name that `import` uses; the file is the one that package-lock.json pins, as its package has it.
MODULES = {
    "htmx": "htmx.org/dist/htmx.esm.min.js",
    "sortablejs": "sortablejs/modular/sortable.esm.js",
    "marked": "marked/lib/marked.esm.js",
    "wavesurfer.js": "wavesurfer.js/dist/wavesurfer.esm.js",
    "wavesurfer.js/regions": "wavesurfer.js/dist/plugins/regions.esm.js",
}
FOLDER = "vendor"


class VendorFinder(BaseFinder):
    """Finds the named files, and no other of the thousands that packages bring along, under /static/vendor/."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._storage = FileSystemStorage(location=settings.NODE_MODULES)
        # What collectstatic and WhiteNoise put in front.
        self._storage.prefix = FOLDER  # type: ignore[attr-defined]

    def check(self, **_: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        folder, _slash, name = path.partition("/")
        if folder != FOLDER or name not in MODULES.values() or not self._file(name).exists():
            return [] if find_all else None
        found = str(self._file(name))
        return [found] if find_all else found

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        """Those that are there. A page without its library still shows; what is missing is said once."""
        missing = [name for name in MODULES.values() if not self._file(name).exists()]
        if missing:
            log.warning("pages lack %s: run `npm ci` in %s", ", ".join(missing), Path(settings.NODE_MODULES).parent)
        for name in MODULES.values():
            if name not in missing:
                yield name, self._storage

    def _file(self, name: str) -> Path:
        return Path(settings.NODE_MODULES) / name


@cache
def import_map() -> str:
    """What modules may import by a bare name: the only text within pages that a browser acts on."""
    return json.dumps({"imports": {name: static(f"{FOLDER}/{path}") for name, path in MODULES.items()}})


@cache
def import_map_source() -> str:
    """How the policy names that very text."""
    digest = base64.b64encode(hashlib.sha256(import_map().encode()).digest()).decode()
    return f"'sha256-{digest}'"

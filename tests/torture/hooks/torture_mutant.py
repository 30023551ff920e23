"""Modules whose source text is changed before it is compiled."""

import importlib.machinery
import json
import re
import sys


def install(path: str) -> None:
    """Change the modules that the file names, if there is one: [[module, pattern, replacement], …]."""
    try:
        with open(path, encoding="utf-8") as file:
            changes = json.load(file)
    except FileNotFoundError:
        return
    wanted: dict[str, list[tuple[str, str]]] = {}
    for module, pattern, replacement in changes:
        wanted.setdefault(module, []).append((pattern, replacement))
    if wanted:
        sys.meta_path.insert(0, _Finder(wanted))


def changed(source: str, pattern: str, replacement: str) -> str:
    """The text with the one occurrence of the pattern replaced. Raises `LookupError` for none or several."""
    text, count = re.subn(pattern, lambda match: match.expand(replacement), source, flags=re.DOTALL)
    if count != 1:
        raise LookupError(f"{pattern!r} occurs {count} times and must occur once")
    return text


class _Finder:
    def __init__(self, wanted) -> None:
        self._wanted = wanted

    def find_spec(self, name, path=None, target=None):
        if name not in self._wanted:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._wanted[name])
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name, path, changes) -> None:
        super().__init__(name, path)
        self._changes = changes

    def get_code(self, fullname):
        source = self.get_data(self.path).decode("utf-8")
        for pattern, replacement in self._changes:
            source = changed(source, pattern, replacement)
        return self.source_to_code(source.encode("utf-8"), self.path)

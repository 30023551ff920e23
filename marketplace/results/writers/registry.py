"""Finds the writers: every module of this package that has `WRITERS`. To add a format is to add a module."""

import pkgutil
from functools import cache
from importlib import import_module

from marketplace.results.writers.base import Writer


@cache
def writers() -> dict[str, Writer]:
    """All writers by name, in the order of their names."""
    package = import_module(__name__.rpartition(".")[0])
    modules = [import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    found: dict[str, Writer] = {}
    for writer in (writer for module in modules for writer in getattr(module, "WRITERS", ())):
        assert writer.name not in found, f"two writers are called {writer.name}"
        found[writer.name] = writer
    return dict(sorted(found.items()))

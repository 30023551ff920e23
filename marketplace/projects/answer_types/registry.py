"""Finds the answer types: every folder of this package that has an `ANSWER_TYPE`. To add a type is to add a folder."""

import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module

from marketplace.projects.answer_types.base import AnswerType, Field


@cache
def answer_types() -> dict[str, AnswerType]:
    """All types by name, in the order of their names."""
    package = import_module(__name__.rpartition(".")[0])
    modules = [import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    found = [module.ANSWER_TYPE for module in modules if hasattr(module, "ANSWER_TYPE")]
    types: dict[str, AnswerType] = {}
    for answer_type in sorted(found, key=lambda answer_type: answer_type.name):
        assert answer_type.name not in types, f"two answer types are called {answer_type.name}"
        types[answer_type.name] = answer_type
    return types


def answer_type(name: str) -> AnswerType:
    """The type of that name. Raises `KeyError`: a checked interface names no others."""
    return answer_types()[name]


@cache
def aggregation_methods() -> tuple[str, ...]:
    """The names of all methods of all types, in the order of the alphabet."""
    return tuple(sorted({method for kind in answer_types().values() for method in kind.methods}))


def methods_for(fields: Iterable[Field]) -> tuple[str, ...]:
    """The names of the methods that apply to at least one of the fields: in order, the usual one of each first."""
    return tuple(dict.fromkeys(method for field in fields for method in answer_type(field["type"]).methods))

"""The description of the API as a judge of what the API says."""

import copy
import functools
import json
import re
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from marketplace.rest.views import schema_bytes
from tests.api.callers import Reply


@functools.cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    return dict(json.loads(schema_bytes()))


@functools.cache
def operations() -> list[tuple[str, re.Pattern[str], str, dict[str, Any]]]:
    """Every operation as (method, pattern of addresses, path, operation); fixed addresses before those with ids."""
    found = [
        (method.upper(), re.compile("^" + re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$"), path, operation)
        for path, item in description()["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    return sorted(found, key=lambda one: one[2].count("{"))


def operation_for(reply: Reply) -> dict[str, Any]:
    """The operation that the reply belongs to."""
    path = reply.path.partition("?")[0]
    return next(op for method, pattern, _, op in operations() if method == reply.method and pattern.match(path))


def findings(reply: Reply) -> list[str]:
    """What the reply says that its description does not, or the other way round. A field that is not described is a
    finding as much as one that is missing."""
    responses = operation_for(reply)["responses"]
    described = responses.get(str(reply.status)) or (responses.get("default") if reply.status >= 400 else None)
    if described is None:
        return [f"{reply.method} {reply.path}: {reply.status} is not described"]
    kind = reply.headers.get("Content-Type", "").partition(";")[0]
    content = described.get("content", {})
    if not content:
        return [f"{reply.method} {reply.path}: a body where none is described"] if reply.body else []
    if kind not in content:
        return [f"{reply.method} {reply.path}: {reply.status} as {kind}, described as {', '.join(content)}"]
    if "json" not in kind or kind == "application/x-ndjson":
        return []
    judge = Draft202012Validator(
        {**_closed(content[kind]["schema"]), "components": _components()}, format_checker=FormatChecker()
    )
    found = [("/".join(map(str, error.absolute_path)), error.message[:300]) for error in judge.iter_errors(reply.json)]
    return [f"{reply.method} {reply.path} {reply.status} at {place}: {message}" for place, message in found]


@functools.cache
def _components() -> dict[str, Any]:
    schemas = description()["components"]["schemas"]
    return {"schemas": {n: schema if n == "Problem" else _closed(schema) for n, schema in schemas.items()}}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every object closed that names its properties and says nothing of others."""
    closed = copy.deepcopy(schema)
    waiting: list[Any] = [closed]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if "properties" in current:
                current.setdefault("additionalProperties", False)
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current
    return closed

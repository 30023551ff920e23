"""The API describes itself, and the page that shows it needs no exception from the strict policy."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from openapi_spec_validator import OpenAPIV31SpecValidator

from marketplace.rest.views import schema_bytes


@pytest.fixture(scope="module")
def document() -> Any:
    schema_bytes.cache_clear()
    GENERATOR_STATS.reset()
    made = json.loads(schema_bytes())
    assert not GENERATOR_STATS, "the description was made with warnings"
    return made


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_valid_openapi_31(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_write_needs_an_idempotency_key(document: Any) -> None:
    for method, path, operation in operations(document):
        needed = {parameter["name"] for parameter in operation.get("parameters", []) if parameter.get("required")}
        # What a provider tells carries the name of its event instead.
        assert ("Idempotency-Key" in needed) == (method != "get" and "/notices/" not in path), (method, path)


def test_every_refusal_is_a_problem(document: Any) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for method, path, operation in operations(document):
        refusals = {status: answer for status, answer in operation["responses"].items() if status > "3"}
        assert {"400", "default"} <= set(refusals), (method, path)
        assert all(answer["content"] == problem for answer in refusals.values()), (method, path)


def test_every_operation_says_who_may_call_it_and_is_summed_up(document: Any) -> None:
    known = set(document["components"]["securitySchemes"])
    assert known == {"page", "key", "password"}
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert {name for scheme in operation["security"] for name in scheme} <= known
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_anybody_may_read_it(db: None) -> None:
    response = Client().get("/api/v1/schema")

    assert response.status_code == 200
    assert json.loads(response.content)["info"]["title"] == "Touchstone"


def test_the_page_has_nothing_inline_and_a_strict_policy(db: None) -> None:
    response = Client().get("/api/v1/docs")

    page = response.content.decode()
    assert response.status_code == 200
    assert "unsafe" not in response["Content-Security-Policy"]
    assert not re.search(r"<style|style=|<script(?![^>]*\bsrc=)", page)

"""The description of the API: valid, whole, and true."""

import io
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, get_resolver
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.described import description, findings
from tests.api.market import Market, ids_of

UNSAFE = ("post", "put", "patch", "delete")
# What some reads cannot do without.
NEEDED = {f"/api/v1/ledger/{what}": "?address=platform:fees" for what in ("account", "transfers")}
NEEDED["/api/v1/batches/{batch}/results/lineage"] = "?task=t0"
NEEDED["/api/v1/people"] = "?search=nobody"
NEEDED |= {"/api/v1/batches/{batch}/task": "?task=t0"}
# What is asked of a batch before it is published.
OF_DRAFTS = {"/api/v1/batches/{batch}/missing"}
NOT_DESCRIBED = {"/api/v1/schema", "/api/v1/docs"}


def served() -> set[str]:
    """Every address under /api/v1, as the description writes it."""
    found = set()
    for entry in get_resolver().url_patterns:
        prefix = str(entry.pattern)
        inner = [entry] if isinstance(entry, URLPattern) else entry.url_patterns
        for pattern in inner:
            path = "/" + (prefix if pattern is entry else prefix + str(pattern.pattern))
            if path.startswith("/api/v1/"):
                found.add(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path))
    return found - NOT_DESCRIBED


def each_operation() -> list[Any]:
    return [
        pytest.param(method, path, operation, id=f"{method.upper()} {path}")
        for path, item in description()["paths"].items()
        for method, operation in item.items()
    ]


def test_the_description_is_valid_openapi_3_1() -> None:
    response = Client().get("/api/v1/schema")

    assert response.headers["Content-Type"] == "application/vnd.oai.openapi+json;version=3.1"
    assert response.json() == description()
    assert description()["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(description()).iter_errors()] == []


def test_it_is_made_without_a_warning() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=io.StringIO())


def test_it_has_every_address_and_no_other() -> None:
    assert set(description()["paths"]) == served()


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for item in description()["paths"].values() for operation in item.values()]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("method", "path", "operation"), each_operation())
def test_an_operation_says_what_it_is_who_may_use_it_and_what_comes_back(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert operation["tags"]
    assert operation["security"], "even an operation for strangers says so, with an empty requirement"
    names = {parameter["name"]: parameter for parameter in operation.get("parameters", [])}
    # What a provider of payouts tells carries the name of its event instead.
    keyed = method in UNSAFE and "/notices/" not in path
    assert ("Idempotency-Key" in names) == keyed
    if keyed:
        assert names["Idempotency-Key"]["in"] == "header"
        assert names["Idempotency-Key"]["required"] is True
    assert set(re.findall(r"{(\w+)}", path)) == {name for name, one in names.items() if one["in"] == "path"}

    good = {status: reply for status, reply in operation["responses"].items() if status.startswith("2")}
    # One way to succeed; but a body that is large is answered before its work is done, and rejections may wait.
    later = {"/imports": {"201", "202"}, "/answers/reject": {"200", "202"}} if method == "post" else {}
    # A download goes on where it broke off.
    later |= {"/archive": {"200", "206"}}
    wanted = next((statuses for end, statuses in later.items() if path.endswith(end)), None)
    assert set(good) == wanted if wanted else len(good) == 1
    for status, reply in good.items():
        assert (status == "204") == ("content" not in reply)
        for kind, content in reply.get("content", {}).items():
            assert kind != "application/json" or "$ref" in content["schema"], "a bare object says nothing"
    for status, reply in operation["responses"].items():
        if not status.startswith("2"):
            assert list(reply["content"]) == ["application/problem+json"]
            assert reply["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "400" in operation["responses"]
    if operation["security"] != [{}]:
        assert {"401", "403"} <= set(operation["responses"])


def test_every_read_says_what_its_description_says(market: Market) -> None:
    ids = ids_of(market)
    market["finance"].post(f"payout-runs/{market.run.public_id}/release", {}).expect(200)
    market["finance"].post("check/last", {}).expect(201)

    asked = set()
    for path, item in description()["paths"].items():
        if "get" in item:
            kinds = {
                "work": "worker",
                "withdrawals": "worker",
                "operations": "staff",
                "payouts": "staff",
                "reviews": "staff",
            }
            who = kinds.get(item["get"]["tags"][0], "owner")
            named = {**ids, "batch": market.draft.public_id} if path in OF_DRAFTS else ids
            market[who].get(path.format(**named) + NEEDED.get(path, "")).expect(200)
            asked.add(path)

    assert len(asked) == sum("get" in item for item in description()["paths"].values())
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_refusals_say_what_their_description_says(market: Market) -> None:
    owner, worker = market["owner"], market["worker"]
    at = f"batches/{market.batch.public_id}"
    owner.post(f"{at}/close").expect(200)
    replies = {
        "unknown-field": owner.post("requesters", {"name": "A", "role": "owner"}),
        "invalid": owner.post("requesters", {"name": 5}),
        "wrong-scope": worker.get("batches"),
        "not-authenticated": market["anonymous"].get("batches"),
        "not-found": market["other requester"].get(at),
        "role-too-low": market["viewer"].post(f"{at}/pause"),
        "wrong-batch-state": owner.post(f"{at}/resume"),
        "invalid-interface": owner.post(
            "projects", {"requester": str(market.requester.public_id), "name": "P", "interface": {"answer": []}}
        ),
        "invalid-rows": owner.post(
            f"batches/{market.draft.public_id}/imports", raw=b"{}", content_type="application/x-ndjson"
        ),
        "unsupported-media-type": owner.post("requesters", raw=b"name=A", content_type="text/plain"),
        "method-not-allowed": owner.call("PUT", "requesters", {}),
        "idempotency-key-missing": owner.post("requesters", {"name": "A"}, key=None),
    }

    assert {code: reply.code for code, reply in replies.items()} == {code: code for code in replies}
    described = [reply for reply in market.said if reply.method != "PUT"]
    assert [finding for reply in described for finding in findings(reply)] == []


def test_whoever_reads_the_description_may_load_no_foreign_script() -> None:
    response = Client().get("/api/v1/docs")

    assert response.status_code == 200
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", response.content.decode())

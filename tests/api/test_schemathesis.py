"""Schemathesis makes requests from the description, right ones and wrong ones: no 5xx, and replies as described.

A few for each operation in CI; SCHEMATHESIS_EXAMPLES raises the number and makes other ones each time. Ids in addresses
are mostly real, so that requests get past the door. The requests commit, on a database of the test's own.
"""

import os
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import Member
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.wsgi import application
from tests import factories as make
from tests.api.callers import caller_for
from tests.api.described import description
from tests.api.market import make_market, make_webhook
from workers.profiles.models import Worker

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "4"))
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
# Strangers' operations are limited by address, and each try of one would cost a slow hash.
OPERATIONS = [
    (path, method.upper())
    for path, item in description()["paths"].items()
    for method in item
    if {"key": []} in item[method]["security"]
]
EFFORT = settings(
    max_examples=EXAMPLES,
    database=None,
    derandomize="SCHEMATHESIS_EXAMPLES" not in os.environ,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_request_from_the_description_breaks_anything(committed: str) -> None:
    market = make_market()
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    Worker.objects.create(user=staff)
    Member.objects.create(requester=make.make_requester(), user=staff, role="owner")
    tokens = [
        # One who may do everything, and each by himself; revoking keys is tried with the first alone.
        caller_for(staff, "staff", "requester", "worker").token,
        market["owner"].token,
        market["viewer"].token,
        market["worker"].token,
    ]
    (lease,) = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"]
    webhook, delivery = make_webhook(market)
    ids = {
        "webhook": str(webhook.public_id),
        "delivery": str(delivery.public_id),
        "requester": str(market.requester.public_id),
        "project": str(market.project.public_id),
        "batch": str(market.batch.public_id),
        "assignment": lease["id"],
        "destination": str(market.destination.public_id),
        "payout": str(market.payout.public_id),
        "run": str(market.run.public_id),
        "provider": "manual",
        "number": 1,
    }
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema", application)
    statuses: dict[int, int] = {}

    for path, method in OPERATIONS:
        operation = schema[path][method]
        cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        if "requestBody" in description()["paths"][path][method.lower()]:
            cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @EFFORT
        @given(case=cases, real=st.integers(0, 3), token=st.sampled_from(tokens))
        def one_request(case: Any, real: int, token: str) -> None:
            if real and case.path_parameters:
                case.path_parameters = {n: ids.get(n, value) for n, value in case.path_parameters.items()}
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
            response = case.call(headers=headers)
            statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
            case.validate_response(response, checks=CHECKS)

        one_request()

    assert not [status for status in statuses if status >= 500]
    assert statuses[200] > EXAMPLES
    assert [found.name for found in check_promises() if found.violations] == []


def test_it_covers_all_that_a_key_opens() -> None:
    assert len(OPERATIONS) == sum(len(item) for item in description()["paths"].values()) - 4

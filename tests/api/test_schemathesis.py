"""Schemathesis makes requests from the description, right ones and wrong ones: no 5xx, and replies as described.

A hundred for each operation, the same in each run; SCHEMATHESIS_EXAMPLES asks for another number and makes other ones
each time. Ids in addresses are mostly real, so that requests get past the door. The requests commit, on a database of
each test's own. What was answered is printed: `./run test tests/api/test_schemathesis.py -rP` shows it.
"""

import os
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
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
from tests.api.market import STAFF_ROLES, ids_of, make_market
from workers.profiles.models import Worker

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "100"))
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
OPERATIONS = [(path, method.upper()) for path, item in description()["paths"].items() for method in item]
# Who comes here has no key, or a password instead.
KEYLESS = {
    "POST /api/v1/accounts",
    "POST /api/v1/accounts/confirmations",
    "POST /api/v1/keys",
    "POST /api/v1/invitations/accept",
    "POST /api/v1/payouts/notices/{provider}",
    "GET /api/v1/dataset-links/{token}/archive",
}
PARTS = 8  # so that the processes of a run share the work
EFFORT = settings(
    max_examples=EXAMPLES,
    database=None,
    derandomize="SCHEMATHESIS_EXAMPLES" not in os.environ,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_request_from_the_description_breaks_anything(committed: str, part: int) -> None:
    market = make_market()
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    Worker.objects.create(user=staff)
    Member.objects.create(requester=market.requester, user=staff, role="owner")
    tokens = [
        # One who may do everything, each by himself, and who has no key. The first is drawn most often.
        caller_for(staff, "staff", "requester", "worker").token,
        *(market[who].token for who in ("owner", "viewer", "worker", *STAFF_ROLES)),
        None,
    ]
    ids = {name: one if isinstance(one, int) else str(one) for name, one in ids_of(market).items()}
    # A key that opens nothing here, so that revoking it ends nobody's asking.
    owner = make.owner_of(market.requester)
    caller_for(owner, "requester")
    ids["key"] = str(owner.auth_token_set.latest("created").public_id)
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema", application)
    statuses: Counter[int] = Counter()
    operations = OPERATIONS[part::PARTS]

    for path, method in operations:
        operation = schema[path][method]
        real = {name: one for name, one in ids.items() if f"{{{name}}}" in path}
        modes = [GenerationMode.POSITIVE]
        if "requestBody" in description()["paths"][path][method.lower()]:
            modes.append(GenerationMode.NEGATIVE)
        wild, known = (
            st.one_of(operation.as_strategy(generation_mode=mode, path_parameters=given, headers=key) for mode in modes)
            for given, key in ((None, None), (real, {"Idempotency-Key": "replaced"}))
        )
        cases = st.integers(0, 3).flatmap(lambda turn, wild=wild, known=known: known if turn else wild)

        @EFFORT
        @given(case=cases, token=st.sampled_from(tokens))
        def one_request(case: Any, token: str | None) -> None:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            response = case.call(headers={**headers, "Idempotency-Key": str(uuid4())})
            statuses[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        one_request()

    told = ", ".join(f"{number:,} × {status}" for status, number in sorted(statuses.items()))
    print(f"{len(operations)} operations, {statuses.total():,} requests: {told}")
    assert not [status for status in statuses if status >= 500]
    assert statuses[200] > EXAMPLES
    assert [found.name for found in check_promises() if found.violations] == []


def test_it_says_which_operations_need_no_key() -> None:
    needs = {(path, method): description()["paths"][path][method.lower()]["security"] for path, method in OPERATIONS}
    assert {f"{method} {path}" for (path, method), keys in needs.items() if {"key": []} not in keys} == KEYLESS

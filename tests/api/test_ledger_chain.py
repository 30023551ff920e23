"""What a party can check of the chain of seals without seeing anybody else's rows."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from marketplace.ledger.addresses import funds_of
from marketplace.ledger.tasks import anchor_daily, seal_transfers
from tests.api.market import make_market
from tests.conftest import older_ended


def test_a_requester_recomputes_his_leaves_and_finds_them_in_the_chain(committed: str) -> None:
    market = make_market()
    owner = market.callers["owner"]
    path = f"requesters/{market.requester.public_id}/transfers"
    unsealed = owner.all(path)
    assert unsealed and all(row["seal"] is None for row in unsealed)
    older_ended()
    seal_transfers()
    anchor_daily()

    own = funds_of(market.requester.public_id)
    for row in owner.all(path):
        # Only from what the row says, by the recipe of the documentation.
        key, moment = row["key"], datetime.fromisoformat(row["made_at"])

        def hidden(text: str, key: str = key) -> str:
            return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()

        micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        facts = [1, key, row["kind"], hidden(row["source"]), hidden(row["destination"]), row["currency"]]
        facts += [abs(row["delta_micros"]), micros, row["memo_hash"], row["reverses"]]
        leaf = hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()
        assert leaf == row["seal"]["leaf"], row
        assert own in (row["source"], row["destination"]) and "memo" not in row

    head = market.callers["worker"].get("ledger/head").expect(200)
    last = max((row["seal"] for row in owner.all(path)), key=lambda seal: seal["seq"])
    assert head["seq"] >= last["seq"] and head["unsealed_s"] == 0
    assert market.callers["worker"].all("ledger/anchors") == [
        {"day": datetime.now(UTC).date().isoformat(), "seq": head["seq"], "hash": head["hash"]}
    ]


def test_staff_see_any_account_as_of_any_moment_and_nobody_else_does(committed: str) -> None:
    market = make_market()
    staff, address = market.callers["staff"], funds_of(market.requester.public_id)
    lines = staff.all(f"ledger/transfers?address={address}")
    assert len(lines) > 1
    for newest, older in pairwise(lines):
        at = newest["made_at"].replace("+", "%2B")
        assert staff.get(f"ledger/account?address={address}&at={at}").expect(200)["balances"] == [
            {"currency": "EUR", "balance_micros": newest["balance_after_micros"]}
        ]
        assert newest["balance_after_micros"] - newest["delta_micros"] == older["balance_after_micros"]
    assert staff.get(f"ledger/account?address={address}").expect(200)["balances"] == [
        {"currency": "EUR", "balance_micros": lines[0]["balance_after_micros"]}
    ]
    for wrong in ("yesterday", "2026-01-31T12:00:00", "2026-13-41T12:00:00Z"):
        refused = staff.get(f"ledger/account?address={address}&at={wrong}")
        assert (refused.status, refused.json["errors"][0]["field"]) == (422, "at")
    assert staff.get(f"ledger/account?address={address}&when=x").status == 400
    assert market.callers["owner"].get(f"ledger/account?address={address}").status == 403

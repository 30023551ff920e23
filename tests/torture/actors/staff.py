"""Staff: records deposits, with references and keys that come twice, and asks for the proof."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.torture.actors.base import Actor
from tests.torture.stage import CURRENCY

FUNDS_MICROS = 2_000_000_000_000


class Staff(Actor):
    """Never records money twice, however often he is told to."""

    kind: ClassVar[str] = "staff"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.deposits = 0
        name, _, setting = given
        self.second = Actor(f"{name}-second", setting.stage.second, setting)

    def prepare(self) -> None:
        """Money for everybody."""
        for requester in [*self.stage.requesters, self.stage.arena]:
            self.deposit(requester.id, FUNDS_MICROS)

    def step(self) -> float:
        draw = self.chance.random()
        if draw < 0.25:
            self.uphold()
        elif draw < 0.5:
            self.pay_out()
        elif draw < 0.6:
            found = self.read("/check")
            if found.get("violations") or found.get("ledger_sum_micros"):
                self.wrong("invariant_violations", "GET /check found something", json.dumps(found))
        else:
            self.deposit(self.chance.choice(self.stage.requesters).id, self.chance.randint(1, 10**9))
        return self.chance.uniform(0.5, 2.0)

    def pay_out(self) -> None:
        """Decide about some payouts, send those that are approved, and say what came of a run."""
        for payout in self.read("/payouts?state=requested&limit=10")["results"][:5]:
            step, body = ("approve", {}) if self.chance.random() < 0.8 else ("refuse", {"reason": "looks odd"})
            done = self.write(f"/payouts/{payout['id']}/{step}", body)
            if self.expect(done, "wrong-payout-state"):
                self.journal.note("payout", payout=payout["id"], state=done.reply.body["state"])
        made = self.write("/payout-runs", {"provider": "manual", "currency": CURRENCY})
        if not self.expect(made, "nothing-to-run"):
            return
        at = f"/payout-runs/{made.reply.body['id']}"
        outcomes = [{"outcome": "failed", "reason": "closed account"}]
        # Some runs fail before anybody has looked at them.
        if self.chance.random() < 0.9:
            released = self.second.write(f"{at}/release", {})
            if not self.second.expect(released):
                return
            if self.chance.random() < 0.3:
                self.second.repeat(released)
            outcomes += [{"outcome": "settled"}] * 4
        done = self.write(f"{at}/outcomes", self.chance.choice(outcomes))
        if self.expect(done) and self.chance.random() < 0.5:
            self.repeat(done)

    def uphold(self) -> None:
        """Undo a rejection that a requester's journal tells of."""
        path = self.folder / f"{self.chance.choice(self.stage.requesters).name}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()[-200:] if path.exists() else []
        told = [json.loads(line) for line in lines if line.startswith('{"did": "reject"') and line.endswith("}")]
        if not told:
            return
        fact = self.chance.choice(told)
        answers = [self.chance.choice(fact["answers"])]
        done = self.write(f"/batches/{fact['batch']}/answers/uphold", {"answers": answers, "reason": "It was right."})
        if self.expect(done, "not-enough-funds"):
            self.journal.note("uphold", answers=answers)
            if self.chance.random() < 0.3:
                self.repeat(done)

    def deposit(self, requester: str, amount: int) -> None:
        """Record one deposit; sometimes again, under the same key, under another, or with another amount."""
        self.deposits += 1
        reference = f"{self.name}-{self.deposits}"
        ask = {"requester": requester, "amount_micros": amount, "currency": CURRENCY, "reference": reference}
        done = self.write("/deposits", ask)
        if not self.expect(done):
            return
        fact = {"transfer": f"deposit:{reference}", "amount": amount, "currency": CURRENCY}
        self.journal.note("deposit", **fact, destination=f"requester:{requester}:funds")
        draw = self.chance.random()
        if draw < 0.2:
            self.repeat(done)
        elif draw < 0.4:
            self.expect(self.write("/deposits", ask))
        elif draw < 0.5:
            other = self.write("/deposits", {**ask, "amount_micros": amount + 1})
            if other.reply.good:
                self.wrong("duplicated", "one reference was recorded with two amounts", reference)
        elif draw < 0.6:
            self.reuse_key(done, json.dumps({**ask, "amount_micros": amount + 1}).encode())

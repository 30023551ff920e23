"""A worker who does what workers do, and everything that he must not get away with."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, ClassVar

from tests.torture.actors.base import Actor, Written
from tests.torture.stage import CURRENCY

CLOSED = ("nothing-to-claim", "batch-not-open", "not-eligible", "limit-reached", "sanctioned", "slowed-down")
BOARD_EVERY_S = 3.0
REASONS = ("skip", "too_hard", "unclear_instructions", "broken", "inappropriate", "other")
Lease = dict[str, Any]


class Worker(Actor):
    """Claims pages, submits them with or without the next claim, and now and then does something odd."""

    kind: ClassVar[str] = "worker"
    # What he does with a page, by weight.
    habits: ClassVar[dict[str, int]] = {
        "submit": 76,
        "late": 3,
        "forge": 5,
        "give_back": 4,
        "abandon": 2,
        "dawdle": 4,
        "stay": 3,
        "type": 3,
    }

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.held: list[Lease] = []
        self.batches: list[str] = []
        self.looked_at = 0.0
        self.notes = 0
        self.old_tokens: dict[str, str] = {}
        self.payouts: list[str] = []

    def step(self) -> float:
        if self.chance.random() < 0.03:
            self.withdraw()
        if not self.held:
            self.claim()
        if self.held:
            weights = [self.habits["submit"], *[weight * self.stage.oddity for weight in [*self.habits.values()][1:]]]
            getattr(self, self.chance.choices(list(self.habits), weights)[0])()
        else:
            self.rest(self.chance.uniform(0.1, 0.5))
        return self.chance.uniform(0.0, 0.15)

    def withdraw(self) -> None:
        """Ask for some of what was earned, or call an earlier wish off."""
        destination = self.stage.memory["destinations"].get(self.person.name)
        if destination is None:
            return
        if self.payouts and self.chance.random() < 0.3:
            payout = self.payouts.pop()
            done = self.write(f"/worker/payouts/{payout}/cancel", {})
            if self.expect(done, "wrong-payout-state"):
                self.journal.note("payout", payout=payout, state=done.reply.body["state"])
            return
        amount = 10_000 * self.chance.randint(100, 400)
        done = self.write(
            "/worker/payouts", {"destination": destination, "currency": CURRENCY, "amount_micros": amount}
        )
        if not self.expect(done, "not-enough-funds", "payout-limit"):
            return
        self.payouts.append(done.reply.body["id"])
        self.journal.note("payout", payout=self.payouts[-1], state="requested", amount=amount)
        if self.chance.random() < 0.3:
            self.repeat(done)

    # What is usual

    def claim(self) -> None:
        """Take up to five places of some batch on the board."""
        if time.monotonic() - self.looked_at > BOARD_EVERY_S or not self.batches:
            board = self.read("/worker/batches?limit=100")["results"]
            self.batches = [row["id"] for row in board if row["eligible"] and row["name"] != "arena"]
            self.looked_at = time.monotonic()
        if not self.batches:
            return
        batch = self.chance.choice(self.batches)
        claimed = self.write(f"/worker/batches/{batch}/claim", {"count": self.chance.randint(1, 5)})
        if self.expect(claimed, *CLOSED):
            self.take(claimed.reply.body["assignments"])
            if self.chance.random() < 0.05:
                self.repeat(claimed)
        elif claimed.reply.code in CLOSED:
            self.batches.remove(batch)

    def take(self, leases: list[Lease]) -> None:
        """Remember leases, and note them."""
        self.held = leases
        for lease in leases:
            self.journal.note("lease", assignment=lease["id"], worker=self.person.id, task=lease["data"]["text"])
            if self.old_tokens.get(lease["id"], lease["token"]) != lease["token"]:
                self.try_token(lease, self.old_tokens[lease["id"]], "a token of an earlier lease was accepted")
            self.old_tokens[lease["id"]] = lease["token"]

    def answer(self, lease: Lease, token: str | None = None) -> dict[str, Any]:
        """An answer that nobody else ever gives, so that it can be recognised."""
        self.notes += 1
        given: dict[str, Any] = {"assignment": lease["id"], "token": token or lease["token"]}
        if self.chance.random() < 0.03:
            return given | {"unclear": True}
        return given | {"values": {"label": self.chance.choice(["cat", "dog"]), "note": f"{self.name} {self.notes}"}}

    def submit(self) -> None:
        """Submit the page; half of the time with the next claim; now and then twice, or with a key used before."""
        leases, self.held = self.held, []
        body: dict[str, Any] = {"answers": [self.answer(lease) for lease in leases]}
        if self.chance.random() < 0.5:
            body["then_claim"] = {"batch": leases[0]["batch"], "count": self.chance.randint(1, 5)}
        done = self.write("/worker/submissions", body)
        self.note_outcomes(done, body["answers"])
        if self.chance.random() < 0.10:
            self.repeat(done)
        if self.chance.random() < 0.05:
            # Another answer always: two that are unclear are the same request.
            body["answers"][0] = self.answer(leases[0]) | {
                "unclear": False,
                "values": {"label": f"not {self.new_key()}"},
            }
            self.reuse_key(done, json.dumps(body).encode())
        if done.reply.good:
            self.take(done.reply.body["claimed"])

    def note_outcomes(self, done: Written, answers: list[dict[str, Any]]) -> None:
        """Write down what was acknowledged: exactly these values, under this revision."""
        if not self.expect(done, "lease-lost"):
            return
        for outcome, answer in zip(done.reply.body["outcomes"], answers, strict=True):
            if outcome["outcome"] == "submitted":
                self.journal.note(
                    "answer",
                    assignment=outcome["assignment"],
                    revision=outcome["revision"],
                    values=answer.get("values", {}),
                    unclear=answer.get("unclear", False),
                )
            elif outcome["draft_kept"]:
                self.journal.note("draft", assignment=outcome["assignment"])

    def stay(self) -> None:
        """Keep the page alive by heartbeats, past the end that it had at first."""
        for _ in range(2):
            self.rest(self.stage.time_limit_s * 0.7)
            body = {"leases": [{"assignment": lease["id"], "token": lease["token"]} for lease in self.held]}
            done = self.write("/worker/leases", body, method="PUT")
            for lease in done.reply.body["leases"] if self.expect(done) else ():
                if lease["lease_until"]:
                    self.journal.note("beat", assignment=lease["assignment"], lease_until=lease["lease_until"])
        self.submit()

    def type(self) -> None:
        """Let what was typed be kept while typing, and submit it, or never come back to it."""
        for lease in self.held:
            body = {"token": lease["token"], "values": {"note": f"{self.name} is typing"}}
            done = self.write(f"/worker/assignments/{lease['id']}/draft", body, method="PUT")
            if self.expect(done, "lease-lost"):
                self.journal.note("draft", assignment=lease["id"])
        self.chance.choice([self.submit, self.abandon])()

    # What is odd

    def late(self) -> None:
        """Stop past the end of the lease, then submit: whatever is stored must be fenced."""
        self.rest(self.stage.time_limit_s + self.chance.uniform(0.2, 2.0))
        self.submit()

    def dawdle(self) -> None:
        """Submit at the very edge of the lease."""
        self.rest(max(0.0, self.stage.time_limit_s - 0.5 + self.chance.uniform(-0.3, 0.5)))
        self.submit()

    def abandon(self) -> None:
        """Go away until the leases are over: whoever claims before that is given them again."""
        self.held = []
        self.rest(self.stage.time_limit_s + self.chance.uniform(0.5, 1.5))

    def forge(self) -> None:
        """Submit with a token that was never given out, then properly."""
        self.try_token(self.held[0], str(uuid.UUID(int=self.chance.getrandbits(128))), "a forged token was accepted")
        self.submit()

    def try_token(self, lease: Lease, token: str, what: str) -> None:
        """Submit one answer under a token that must not open anything."""
        tried = self.write("/worker/submissions", {"answers": [self.answer(lease, token)]})
        # A tab of the same worker may have submitted it meanwhile; that is no answer of ours.
        if tried.reply.good and any(o["outcome"] == "submitted" for o in tried.reply.body["outcomes"]):
            self.wrong("invariant_violations", what, f"{lease['id']} {tried.reply.content!r}")
        self.expect(tried, "lease-lost")

    def give_back(self) -> None:
        """Return one lease with a reason, keep the others."""
        lease, self.held = self.held[0], self.held[1:]
        reason = self.chance.choice(REASONS)
        body = {"token": lease["token"], "reason": reason}
        done = self.write(f"/worker/assignments/{lease['id']}/return", body)
        if self.expect(done, "lease-lost"):
            self.journal.note("return", assignment=lease["id"], reason=reason)
            if self.chance.random() < 0.2:
                self.repeat(done)


class Finisher(Worker):
    """Comes when the faults are over and takes all that is left; whatever he cannot get is stuck."""

    kind: ClassVar[str] = "finisher"
    habits: ClassVar[dict[str, int]] = {"submit": 1}
    empty = 0

    def step(self) -> float:
        if not self.held:
            self.claim_ten()
        if self.held:
            self.empty = 0
            self.submit()
            return 0.0
        self.empty += 1
        return 0.3

    def claim_ten(self) -> None:
        """A whole page of any batch that has one."""
        board = self.read("/worker/batches?limit=100")["results"]
        for row in board:
            if row["eligible"] and row["name"] != "arena":
                claimed = self.write(f"/worker/batches/{row['id']}/claim", {"count": 10})
                if self.expect(claimed, *CLOSED):
                    self.take(claimed.reply.body["assignments"])
                    return

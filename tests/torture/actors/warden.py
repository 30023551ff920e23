"""A warden: limits workers while they work, slows them down, bans them, and lets them go again."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.torture.actors.base import Actor

# A worker is kept from work for seconds only, so that there is work at all, and nobody is under a sanction at the end.
LIFE_MAX_S = 4
WEIGHTS = {"limit": 5, "slow_down": 3, "ban": 1, "extra_gold": 1}


class Warden(Actor):
    """What he imposes holds until it ends or he lifts it; the promise views say whether anybody worked meanwhile."""

    kind: ClassVar[str] = "warden"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.imposed: list[str] = []

    def step(self) -> float:
        if self.imposed and self.chance.random() < 0.4:
            self.lift(self.imposed.pop(self.chance.randrange(len(self.imposed))))
        else:
            self.impose()
        return self.chance.uniform(0.3, 1.5)

    def impose(self) -> None:
        """Limit one worker for a moment; sometimes twice under one key, which must be one sanction."""
        measure = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        ask: dict[str, Any] = {
            "worker": self.chance.choice(self.stage.workers).id,
            "scope": "platform",
            "measure": measure,
            "reason": "other",
            "words": "A warden looks at your work.",
            "evidence": f"{self.name} thinks so",
            "expires_in_s": self.chance.randint(1, LIFE_MAX_S),
        }
        if measure == "slow_down":
            ask["pace_s"] = self.chance.randint(1, 2)
        done = self.write("/sanctions", ask)
        if not self.expect(done):
            return
        self.imposed = [*self.imposed[-9:], done.reply.body["id"]]
        self.journal.note("sanction", sanction=self.imposed[-1], worker=ask["worker"], measure=measure, lifted=False)
        if self.chance.random() < 0.2:
            self.repeat(done)

    def lift(self, sanction: str) -> None:
        """End one before its time; sometimes twice, which changes nothing."""
        done = self.write(f"/sanctions/{sanction}/lift", {"reason": "It was enough."})
        if not self.expect(done):
            return
        told = done.reply.body
        self.journal.note("sanction", sanction=sanction, worker=told["worker"], measure=told["measure"], lifted=True)
        again = self.write(f"/sanctions/{sanction}/lift", {"reason": "Once more."})
        if self.expect(again) and again.reply != done.reply:
            self.wrong("duplicated", "a sanction was lifted twice", f"{done.reply} {again.reply}")

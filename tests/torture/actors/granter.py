"""An owner of an organisation and a superuser, who give people roles and take them again."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from tests.torture.actors.base import Actor, Written
from tests.torture.findings import INVARIANT, LOST

ROLES = ("owner", "manager", "reviewer", "viewer")
STAFF_ROLES = ("support", "finance", "quality")


class Granter(Actor):
    """Nobody else changes what the two have, so after each answer the site must show just what it said; and the audit
    log has a row for each change, for ever."""

    kind: ClassVar[str] = "granter"
    habits: ClassVar[dict[str, int]] = {"member": 5, "invite": 3, "staff": 4}

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        name, _, setting = given
        self.colleague = Actor(f"{name}-colleague", self.stage.colleague, setting)
        self.chief = Actor(f"{name}-chief", self.stage.staff, setting)
        self.role = ""  # of the colleague; none while he is no member
        self.staff_roles: set[str] = set()  # of the clerk
        self.times: Counter[tuple[str, str]] = Counter()

    def step(self) -> float:
        getattr(self, self.chance.choices(list(self.habits), list(self.habits.values()))[0])()
        return self.chance.uniform(0.5, 2.0)

    def member(self) -> None:
        """Ask the colleague to come, give him another role, or let him go."""
        at, his = f"/requesters/{self.person.id}/members", self.stage.colleague.id
        if not self.role:
            self.invite()
        elif self.chance.random() < 0.4:
            self.changed(self, "member_removed", self.write(f"{at}/{his}", {}, method="DELETE"), "")
        else:
            role = self.chance.choice([role for role in ROLES if role != self.role])
            done = self.write(f"{at}/{his}", {"role": role}, method="PATCH")
            self.changed(self, "role_changed", done, role)

    def invite(self) -> None:
        """Ask the colleague to come, and he comes; or take the invitation back, and then he cannot."""
        if self.role:
            self.member()
            return
        at, role = f"/requesters/{self.person.id}/member-invitations", self.chance.choice(ROLES)
        made = self.write(at, {"email": _email(self.stage.colleague.name), "role": role})
        if not self.expect(made):
            return
        asked = made.reply.body
        withdrawn = self.chance.random() < 0.3
        if withdrawn:
            self.expect(self.write(f"{at}/{asked['id']}", {}, method="DELETE"))
        came = self.colleague.write("/member-invitations/accept", {"code": asked["code"]})
        if not withdrawn:
            self.changed(self.colleague, "member_added", came, role)
        elif not self.expect(came, "invitation-invalid"):
            return
        else:
            self.wrong(INVARIANT, "an invitation opened after it was taken back", f"{asked['id']} {came.reply}")

    def changed(self, who: Actor, act: str, done: Written, role: str) -> None:
        """Note what became of the colleague, and look whether the site says the same."""
        if not self.expect(done):
            return
        self.role = role
        self.note(f"permission.{act}", self.person.id, self.stage.colleague.id, role)
        if self.chance.random() < 0.3:
            who.repeat(done)
        shown = self.read(f"/requesters/{self.person.id}/members")["results"]
        roles = {row["id"]: row["role"] for row in shown}
        if roles.get(self.stage.colleague.id, "") != role:
            self.wrong(LOST, "a member has another role than was given", f"{act} {role}: {roles}")

    def staff(self) -> None:
        """Give the clerk a role of the staff, or take one that he has."""
        clerk, role = self.stage.clerk, self.chance.choice(STAFF_ROLES)
        if role in self.staff_roles:
            act, left = "permission.staff_revoked", self.staff_roles - {role}
            done = self.chief.write(f"/staff/{clerk.id}/revoke", {"role": role})
        else:
            act, left = "permission.staff_granted", self.staff_roles | {role}
            done = self.chief.write("/staff", {"email": _email(clerk.name), "role": role})
        if not self.expect(done):
            return
        self.staff_roles = left
        self.note(act, "", clerk.id, role)
        if done.reply.body["roles"] != sorted(left):
            self.wrong(LOST, "somebody of the staff has other roles than were given", f"{done.reply.body} {left}")
        if self.chance.random() < 0.3:
            self.chief.repeat(done)

    def note(self, act: str, of: str, user: str, role: str) -> None:
        """Write down that it was done once more."""
        self.times[act, role] += 1
        self.journal.note("role", act=act, of=of, user=user, role=role, times=self.times[act, role])


def _email(name: str) -> str:
    return f"{name}@torture.example"

"""Everything that must be there before the first fault: money, projects, batches, the arena."""

from __future__ import annotations

from tests.torture.actors.arena import Arena
from tests.torture.actors.base import Actor, Setting
from tests.torture.actors.requester import Requester
from tests.torture.actors.staff import Staff
from tests.torture.stage import CURRENCY, Person

KNOWN_WORKERS = 4  # for whom a requester may reserve tasks
SENT_MICROS = 1_000_000


def prepare(setting: Setting) -> None:
    """Over HTTP, one actor after the other; what they were told is in the journals like anything later."""
    stage = setting.stage
    # Their names differ from those of the run, because keys and references follow from the name.
    actors: list[Actor] = [Staff("prepare-staff", stage.staff, setting)]
    for person in stage.requesters:
        actors.append(Requester(f"prepare-{person.name}", person, setting))
    actors.append(Arena("prepare-arena", stage.arena, setting))
    for requester, workers in [
        *((person, stage.workers[:KNOWN_WORKERS]) for person in stage.requesters),
        (stage.arena, stage.arena_workers[:1]),
    ]:
        stage.memory[requester.name]["pseudonyms"] += [_introduce(worker, requester, setting) for worker in workers]
    for actor in actors:
        actor.prepare()
    _send(stage.arena_workers[0], setting)


class _Introducer(Actor):
    kind = "introducer"


def _introduce(worker: Person, requester: Person, setting: Setting) -> str:
    actor = _Introducer(f"introduce-{worker.name}-{requester.name}", worker, setting)
    return str(actor.write("/worker/introductions", {"requester": requester.id}).reply.body["pseudonym"])


def _send(worker: Person, setting: Setting) -> None:
    """A payout on its way in a run that nobody ever releases: the adversary tries to."""
    payee = Actor(f"pay-{worker.name}", worker, setting)
    staff = Actor("pay-staff", setting.stage.staff, setting)
    destination = setting.stage.memory["destinations"][worker.name]
    ask = {"destination": destination, "currency": CURRENCY, "amount_micros": SENT_MICROS}
    payout = payee.write("/worker/payouts", ask).reply.body["id"]
    staff.write(f"/payouts/{payout}/approve", {})
    staff.write("/payout-runs", {"provider": "manual", "currency": CURRENCY})

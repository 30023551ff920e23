"""Who takes part. A new kind of actor is a class with a `step`, and a line in `crew`."""

from __future__ import annotations

from tests.torture.actors.arena import Arena
from tests.torture.actors.base import Actor, Setting
from tests.torture.actors.curator import Curator
from tests.torture.actors.granter import Granter
from tests.torture.actors.importer import Importer
from tests.torture.actors.listener import Listener
from tests.torture.actors.requester import Requester
from tests.torture.actors.staff import Staff
from tests.torture.actors.warden import Warden
from tests.torture.actors.worker import Finisher, Worker

LISTENERS = 0.2  # which share of the workers works over a socket, beside what they do over HTTP
TABS = 0.2  # which share of the workers has a second tab open


def people(clients: int) -> tuple[int, int]:
    """How many requesters and workers there are; the rest of the clients are one of staff and second tabs."""
    requesters = max(1, clients // 16)
    working = clients - requesters - 1
    return requesters, max(1, working - round(working * TABS))


def crew(clients: int, setting: Setting) -> list[Actor]:
    """The clients of a run, in the order in which they prepare."""
    stage = setting.stage
    actors: list[Actor] = [Staff("staff", stage.staff, setting)]
    actors += [Requester(person.name, person, setting) for person in stage.requesters]
    actors += [Worker(person.name, person, setting) for person in stage.workers]
    actors.append(Warden("warden", stage.staff, setting))
    actors.append(Importer("importer", stage.requesters[0], setting))
    actors.append(Curator("curator", stage.requesters[0], setting))
    actors.append(Granter("granter", stage.requesters[0], setting))
    listening = stage.workers[: max(1, round(LISTENERS * len(stage.workers)))]
    actors += [Listener(f"{person.name}-socket", person, setting) for person in listening]
    second = stage.workers[: max(0, clients - len(actors))]
    return actors + [Worker(f"{person.name}-tab", person, setting) for person in second]


def arena(setting: Setting) -> Arena:
    """Who prepares the arena."""
    return Arena("arena", setting.stage.arena, setting)


def finishers(setting: Setting) -> list[Finisher]:
    """Fresh workers, and those for whom something may be reserved."""
    stage = setting.stage
    return [Finisher(f"finish-{person.name}", person, setting) for person in [*stage.fresh, *stage.workers]]

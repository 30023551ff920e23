"""One run: the crowd works, the plan strikes, the checkers look; then all is brought to rest and judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.torture import clients, sql
from tests.torture.actors.base import Actor, Setting
from tests.torture.actors.registry import crew, finishers
from tests.torture.adversary import Adversary
from tests.torture.checkers import Scene, Watch
from tests.torture.control import Control
from tests.torture.cutter import Cutter
from tests.torture.engine import Engine
from tests.torture.faults import Injury
from tests.torture.findings import STUCK, SURPRISE, Finding, Findings
from tests.torture.journal import Journals
from tests.torture.plan import Fault
from tests.torture.site import Site, wait
from tests.torture.stage import HOST, Stage

OWED_S = 30.0  # for kills whose victims were not there when it was their turn
DRAIN_S = 40.0
REST_S = 60.0  # R15, T0: within this all must be at rest again
FINISH_S = 180.0
EMPTY_S = 2.5  # without anything to claim for so long, nothing is left to claim


@dataclass
class Outcome:
    """What a run found and measured."""

    findings: Findings
    happened: list[Fault]
    journals: Journals
    seconds: float
    late_returns: list[float] = field(default_factory=list)
    data_sets: list[tuple[str, float]] = field(default_factory=list)
    cut: int = 0
    attacks: int = 0
    looks: int = 0
    finish_s: float = 0.0
    broken_s: float = 0.0
    excused_s: float = 0.0


@dataclass
class Run:
    """What one run is made of. `until` ends it early."""

    site: Site
    stage: Stage
    seed: int
    seconds: float
    clients: int
    plan: list[Fault]
    folder: Path
    say: Callable[[str], None]
    liveness: bool = False
    attack_every_s: float = 1.0
    until: Callable[[Findings], bool] = lambda findings: False
    findings: Findings = field(default_factory=Findings)

    def go(self) -> Outcome:
        """From the first claim to the last look."""
        self.folder.mkdir(parents=True, exist_ok=True)
        control = Control()
        cutter = Cutter(HOST, self.site.web_port)
        setting = Setting(
            self.stage, self.seed, self.site.web_port, cutter.port, self.folder, control, self.site.live_port
        )
        # Forked before any thread of ours begins.
        processes = clients.start(crew(self.clients, setting))
        injury = Injury(self.site, control, Random(f"faults:{self.seed}"), [process.pid for process in processes])
        engine = Engine(self.plan, injury, self.say)
        journals = Journals(self.folder)
        scene = Scene(
            self.site,
            journals,
            engine.excused.cover,
            engine.broken.healthy_for_s,
            engine.broken.within,
            engine.halted.within,
        )
        self.findings.started = started = time.monotonic()
        watch = Watch(scene, self.findings)
        adversary = Adversary(self.site, self.stage, self.findings, self.attack_every_s)
        for part in (engine, watch, adversary):
            part.start()
        wait(lambda: self.until(self.findings), self.seconds, every_s=0.2)
        wait(lambda: engine.done.is_set() or self.until(self.findings), OWED_S)
        early = self.until(self.findings)
        adversary.end()
        self.say("the faults are over; everything is brought to rest …")
        if not engine.end():
            self._find(STUCK, "health", "the site did not become healthy again")
        # Who has found what he looked for need not see to its end what was begun.
        if early:
            control.stop()
        else:
            control.drain()
        if not clients.join(processes, 15.0 if early else DRAIN_S):
            control.stop()
            if not clients.join(processes, 15.0):
                self._find(SURPRISE, "clients", "a client does not end")
        outcome = Outcome(self.findings, engine.happened, journals, time.monotonic() - started)
        if not early:
            at = time.monotonic()
            if self.liveness:
                self._finish(setting)
            self._come_to_rest(scene)
            outcome.finish_s = time.monotonic() - at
        outcome.broken_s, outcome.excused_s = engine.broken.seconds(), engine.excused.seconds()
        watch.end(early=early)
        cutter.close()
        if not early:
            outcome.late_returns, outcome.data_sets = watch.late_returns(), watch.data_sets()
        outcome.cut, outcome.attacks, outcome.looks = cutter.cut, adversary.tried, watch.looks
        return outcome

    def _finish(self, setting: Setting) -> None:
        """Fresh workers take all that is left. What nobody gets although it is open is stuck."""
        control = Control()
        fresh = Setting(self.stage, self.seed, setting.web_port, setting.cutter_port, self.folder, control)
        actors: list[Actor] = list(finishers(fresh))
        processes = clients.start(actors)
        deadline = time.monotonic() + FINISH_S
        last, since = -1, time.monotonic()
        while time.monotonic() < deadline:
            with self.site.connect() as database:
                row = database.execute(sql.ANSWERED).fetchone()
                open_places = len(database.execute(sql.OPEN_PLACES).fetchall())
            now = int(row[0]) if row else 0
            if now != last:
                last, since = now, time.monotonic()
            # Nothing was answered for a while, and no lease that is still held could give anything back.
            if time.monotonic() - since > (EMPTY_S if not open_places else EMPTY_S * 6):
                break
            time.sleep(0.25)
        control.drain()
        if not clients.join(processes, DRAIN_S):
            control.stop()
            clients.join(processes, 15.0)
        with self.site.connect() as database:
            for row in database.execute(sql.OPEN_PLACES).fetchall():
                self._find(STUCK, "finishers", f"task {row[0]}", f"open and not claimable: {row[1:]}")

    def _come_to_rest(self, scene: Scene) -> None:
        """Within 60 s no lease is overdue, no event, score, decision or payment waits."""

        def waiting() -> dict[str, int]:
            with self.site.connect() as database:
                found = {kind: database.execute(text).fetchone() for kind, text in sql.WAITING.items()}
            return {kind: int(row[1]) for kind, row in found.items() if row and row[1]}

        if not wait(lambda: not waiting(), REST_S, every_s=0.25):
            for kind, number in waiting().items():
                self._find(STUCK, "rest", kind, f"{number} still wait {REST_S:.0f} s after the last fault")

    def _find(self, kind: str, by: str, what: str, detail: str = "") -> None:
        self.findings.add([Finding(kind, by, what, detail)])

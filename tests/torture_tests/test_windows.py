"""When something is broken on purpose, how long, and that every kill of a plan happens."""

import time
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.torture import engine as engine_module
from tests.torture.control import Control
from tests.torture.engine import GRACE_S, Engine, Windows
from tests.torture.faults import Injury
from tests.torture.plan import Fault
from tests.torture.site import Site


def _windows(*spans: tuple[float, float], healthy: bool = True) -> Windows:
    windows = Windows(lambda: healthy)
    windows.spans = list(spans)
    return windows


def test_a_request_is_covered_when_it_was_under_way_in_a_window() -> None:
    windows = _windows((100.0, 105.0))
    assert windows.cover(104.9, 109.0)  # asked in it, answered long after
    assert windows.cover(99.0, 100.0)
    assert windows.cover(90.0, 110.0)
    assert not windows.cover(105.1, 109.0)
    assert not windows.cover(90.0, 99.9)


def test_an_open_window_covers_all_that_ends_after_it_began() -> None:
    windows = _windows(healthy=False)
    windows.open(0.0)
    now = time.time()
    assert windows.cover(now - 5, now + 1)
    assert not windows.cover(now - 5, now - 1)


def test_the_time_within_counts_only_what_lies_in_the_last_seconds() -> None:
    now = time.time()
    windows = _windows((now - 100, now - 90), (now - 30, now - 25))
    assert windows.within(20) == 0
    assert windows.within(27) == pytest.approx(2, abs=0.2)
    assert windows.within(60) == pytest.approx(5, abs=0.2)
    assert windows.within(95) == pytest.approx(10, abs=0.2)
    windows.open(0.0)
    time.sleep(0.2)
    assert windows.within(20) == pytest.approx(0.2, abs=0.15)


def test_a_window_closes_when_all_is_healthy_again() -> None:
    healthy: list[bool] = []
    windows = Windows(lambda: bool(healthy))
    windows.open(0.0)
    assert not windows.look(at_once=True)
    healthy.append(True)
    assert windows.look(at_once=True)
    assert windows.spans[0][1] == pytest.approx(time.time() + GRACE_S, abs=0.5)


def test_a_kill_without_a_victim_is_tried_again_until_it_has_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[str] = []

    def strike(fault: Fault, injury: Injury) -> bool:
        tried.append(fault.kind)
        return fault.kind == "flushall" or tried.count("kill_pool_child") == 3

    monkeypatch.setattr(engine_module, "strike", strike)
    site = cast(Site, SimpleNamespace(healthy=bool, answers=bool, sweeps=bool))
    plan = [Fault(0.0, "kill_pool_child"), Fault(0.05, "flushall")]
    said: list[Any] = []
    engine = Engine(plan, Injury(site, cast(Control, None), Random(1), []), said.append)
    engine.start()
    assert engine.done.wait(10)
    assert tried == ["kill_pool_child", "kill_pool_child", "flushall", "kill_pool_child"]
    assert [fault.kind for fault in engine.happened] == ["flushall", "kill_pool_child"]

"""Processor time of process trees and of the machine, from /proc."""

import os
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
TICKS = os.sysconf("SC_CLK_TCK")
# The site's processes among the children of ./run, by a word of their command line that no other has.
SITE = {
    "web": "granian",
    "live": "live",
    "relay": "relay",
    "worker": "worker",
    "beat": "beat",
    "postgres": "postgres",
    "valkey": "valkey-server",
}


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def of_process(pid: int) -> float:
    """User and system seconds of a process and of the children that it has waited for."""
    fields = _stat(pid)
    return 0.0 if fields is None else sum(map(int, fields[11:15])) / TICKS


def of_trees(roots: Mapping[str, int]) -> dict[str, float]:
    """The same for whole trees by name; a child that ended is counted by its parent, so back ends of a moment are."""
    children: dict[int, list[int]] = defaultdict(list)
    own: dict[int, float] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))) is not None:
            children[int(fields[1])].append(int(entry))
            own[int(entry)] = sum(map(int, fields[11:15])) / TICKS
    sums = {}
    for name, root in roots.items():
        waiting, total = [root], 0.0
        while waiting:
            pid = waiting.pop()
            total += own.get(pid, 0.0)
            waiting += children.get(pid, ())
        sums[name] = total
    return sums


def busy() -> float:
    """Processor seconds that everything on the machine has used since it started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / TICKS


def site_processes() -> dict[str, int]:
    """The processes of the stack that ./run started beside this one, by name; further ones of a name, younger and so
    with higher numbers, are `live-2` and so on."""
    found: dict[str, int] = {}
    for entry in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        # This process stands beside them, and may be named after what it measures.
        if entry == os.getpid() or (fields := _stat(entry)) is None or int(fields[1]) != os.getppid():
            continue
        try:
            # Some servers write their title over their arguments, with spaces between.
            words = Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
        except OSError:
            continue
        names = {Path(word).name for word in words}
        for name, mark in SITE.items():
            if mark in names:
                same = len(named(found, name))
                found[f"{name}-{same + 1}" if same else name] = entry
    return found


def named(figures: Mapping[str, T], name: str) -> dict[str, T]:
    """Those of all processes of a name."""
    return {key: figure for key, figure in figures.items() if key == name or key.startswith(f"{name}-")}


def joined(figures: Mapping[str, float]) -> dict[str, float]:
    """Sums over the processes of each name."""
    sums: dict[str, float] = defaultdict(float)
    for key, figure in figures.items():
        sums[re.sub(r"-\d+$", "", key)] += figure
    return dict(sums)


def tree(root: int) -> list[int]:
    """A process with all that descend from it."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))) is not None:
            children[int(fields[1])].append(int(entry))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, ())
    return found


def rss_mib(roots: Mapping[str, int]) -> dict[str, float]:
    """Memory of trees in MiB, shared pages counted once among all who share them."""
    sums = {}
    for name, root in roots.items():
        total = 0
        for pid in tree(root):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        sums[name] = round(total / 1024, 1)
    return sums


_patience = {"seconds": 0.0}


def be_patient(seconds: float) -> None:
    """From now on wait before each run, at most this long, for a machine that strangers leave alone."""
    _patience["seconds"] = seconds


def wait_until_quiet(roots: Mapping[str, int], *, limit: float = 0.2) -> None:
    """Return once strangers use less than `limit` cores, or the patience is at its end."""
    deadline = time.monotonic() + _patience["seconds"]
    while time.monotonic() < deadline:
        window = Window(roots)
        time.sleep(1.0)
        if window.close()[2] < limit:
            return


class Window:
    """Processor seconds by group between two moments, with the generator's own and the share of strangers."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = dict(roots)
        self._own = time.process_time()
        self._busy = busy()
        self._before = of_trees(self._roots)
        self._began = time.perf_counter()

    def close(self) -> tuple[float, dict[str, float], float]:
        """Wall seconds, seconds by name (`generator` is this process), and cores that strangers used."""
        wall = time.perf_counter() - self._began
        after = of_trees(self._roots)
        used = joined({name: max(0.0, after[name] - self._before[name]) for name in self._roots})
        used["generator"] = time.process_time() - self._own
        strangers = busy() - self._busy - sum(used.values())
        return wall, used, max(0.0, strangers / wall)

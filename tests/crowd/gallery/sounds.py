"""Sounds of a harbour, made by a seed: horns, bells and gusts of wind, and what is heard when."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.crowd import wav

Samples = NDArray[np.float64]
SECONDS = 5.0
SHORT_S, LONG_S = 0.3, 0.85


def harbour(seed: int) -> tuple[str, list[dict[str, Any]]]:
    """Three or four sounds after one another; the stretch of each."""
    draws = Random(f"harbour {seed}")
    noise = np.random.default_rng(seed)
    samples, found, at = _still(noise), [], draws.uniform(0.2, 0.5)
    for _ in range(draws.randint(3, 4)):
        label = draws.choice(("horn", "bell", "wind"))
        length = draws.uniform(0.6, 0.95)
        _put(samples, at, {"horn": _horn, "bell": _bell, "wind": _wind}[label](length, draws, noise))
        found.append({"label": label, "start": round(at, 2), "end": round(at + length, 2)})
        at += length + draws.uniform(0.15, 0.35)
    return wav.data_uri(samples.tolist()), found


def signal(seed: int) -> tuple[str, str]:
    """A fog signal of three or four blasts of one horn; its words, as `short long short`."""
    draws = Random(f"signal {seed}")
    noise = np.random.default_rng(seed)
    words = [draws.choice(("short", "long")) for _ in range(draws.randint(3, 4))]
    pitch, samples, at = Random(f"pitch {seed}").uniform(150, 240), _still(noise), 0.3
    for word in words:
        length = SHORT_S if word == "short" else LONG_S
        _put(samples, at, _horn(length, draws, noise, pitch))
        at += length + 0.25
    return wav.data_uri(samples.tolist()), " ".join(words)


def _still(noise: np.random.Generator) -> Samples:
    """Almost silence."""
    return noise.normal(0, 0.006, int(SECONDS * wav.RATE))


def _put(samples: Samples, at: float, sound: Samples) -> None:
    start = int(at * wav.RATE)
    samples[start : start + len(sound)] += sound[: len(samples) - start]


def _times(length: float) -> Samples:
    return np.arange(int(length * wav.RATE)) / wav.RATE


def _faded(sound: Samples, seconds: float = 0.04) -> Samples:
    """Without clicks at the ends."""
    edge = min(int(seconds * wav.RATE), len(sound) // 2)
    shape = np.ones(len(sound))
    shape[:edge] = np.linspace(0, 1, edge)
    shape[len(sound) - edge :] = np.linspace(1, 0, edge)
    return sound * shape


def _horn(length: float, draws: Random, noise: np.random.Generator, pitch: float | None = None) -> Samples:
    times, pitch = _times(length), pitch or draws.uniform(140, 220)
    parts = sum(np.sin(2 * np.pi * pitch * times * n) / n for n in (1, 2, 3, 4, 6))
    return _faded(0.32 * np.asarray(parts))


def _bell(length: float, draws: Random, noise: np.random.Generator) -> Samples:
    times, pitch = _times(length), draws.uniform(620, 880)
    parts = sum(np.sin(2 * np.pi * pitch * times * n) / n for n in (1, 2.01, 2.76, 4.1))
    return _faded(0.4 * np.asarray(parts) * np.exp(-3.2 * times / length), 0.008)


def _wind(length: float, draws: Random, noise: np.random.Generator) -> Samples:
    rough = noise.normal(0, 1, int(length * wav.RATE))
    soft = np.convolve(rough, np.ones(6) / 6, mode="same")
    return 0.5 * soft * np.sin(np.pi * np.arange(len(soft)) / len(soft)) ** 0.7

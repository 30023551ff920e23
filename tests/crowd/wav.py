"""Small sounds as WAV data: URIs, with the standard library alone."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence

RATE = 8_000


def encode(samples: Sequence[float], rate: int = RATE) -> bytes:
    """A mono WAV of 8 bits a sample, of samples from -1 to 1; what is beyond is cut off."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(rate)
        sound.writeframes(bytes(min(255, max(0, round(128 + 127 * sample))) for sample in samples))
    return made.getvalue()


def data_uri(samples: Sequence[float], rate: int = RATE) -> str:
    """The sound as a `data:audio/wav;base64,…` address."""
    return "data:audio/wav;base64," + base64.b64encode(encode(samples, rate)).decode("ascii")

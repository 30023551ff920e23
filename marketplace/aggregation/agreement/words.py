"""What a figure of agreement means, in words."""

from math import isfinite

# Source: J. R. Landis, G. G. Koch, "The measurement of observer agreement for categorical data", doi:10.2307/2529310.
LANDIS_KOCH = (
    (0.0, "poor"),
    (0.2, "slight"),
    (0.4, "fair"),
    (0.6, "moderate"),
    (0.8, "substantial"),
    (1.0, "almost perfect"),
)
# How much each of them spans, from 0 up.
CLASS_WIDTH = 0.2
# Below this the people do not understand the task alike, and no method of aggregation will make up for it.
INSTRUCTIONS_BELOW = 0.6


def landis_koch(figure: float) -> str:
    """The word of Landis and Koch for a kappa or alpha: `poor` below 0, `slight` up to 0.20, `fair` up to 0.40,
    `moderate` up to 0.60, `substantial` up to 0.80, `almost perfect` up to 1; `unknown` for NaN."""
    if not isfinite(figure):
        return "unknown"
    if figure < 0:
        return "poor"
    return next((word for end, word in LANDIS_KOCH[1:] if figure <= end), "almost perfect")


def sure_word(word: str, low: float | None, high: float | None) -> str:
    """A word of `landis_koch` where the figure's interval is no wider than what the word stands for; else `too few`,
    for then nothing can be told. `unknown` stays."""
    if word == "unknown":
        return word
    # A hair of room: 0.9 - 0.7 is more than 0.2 where numbers are binary.
    sure = low is not None and high is not None and high - low <= CLASS_WIDTH + 1e-9
    return word if sure else "too few"


def look_at_instructions(figure: float) -> bool:
    """Whether agreement is so low that the instructions are to be looked at first."""
    return isfinite(figure) and figure < INSTRUCTIONS_BELOW

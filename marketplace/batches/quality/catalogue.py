"""What rules can look at and what they can do: names, ranges, and what holds of a worker of whom nothing is known."""

from dataclasses import dataclass

from marketplace.accounts.evidence import OPEN

HOURS_MAX = 8_760  # a year
WINDOW_ANSWERS_MAX = 500
# A narrower window on what is hidden would tell of single answers whether they were check questions.
WINDOW_CLOSED_LEAST = 10
WINDOW_DAYS_MAX = 365
COUNT_MAX = 1_000_000
MICROS_MAX = 10**12
PACE_MAX_S = 3_600
COMPARISONS = ("below", "above", "at_least", "at_most")
BOUNDS = ("low", "point", "high")


@dataclass(frozen=True)
class Metric:
    """A figure of a worker's history, from `least` to `most`.

    `stranger` is what it is (low, point, high) of a worker after his first answer, of whom nothing else is known; None
    is not known. Only a metric with `interval` may be compared by its bounds.
    """

    says: str
    least: float
    most: float
    whole: bool = False
    interval: bool = False
    stranger: tuple[float | None, float | None, float | None] = (None, None, None)


def _share(says: str) -> Metric:
    # The 95 % interval of a share of which nothing is known, Beta(1, 1).
    return Metric(says, 0, 1, interval=True, stranger=(0.025, None, 0.975))


def _count(says: str, stranger: float = 0) -> Metric:
    return Metric(says, 0, COUNT_MAX, whole=True, stranger=(stranger, stranger, stranger))


METRICS = {
    "gold_accuracy": _share("share of hidden check questions answered right"),
    "gold_answers": _count("hidden check questions answered"),
    "agreement": _share("share of answers that agree with the final results, each by their confidence"),
    "agreements": _count("answers compared with final results"),
    "reliability": _share("share of answers found right, by check questions, final results and reviews together"),
    "guessing": Metric(
        "how likely an honest worker is to come by such results; a guesser's gets small",
        0,
        1,
        stranger=(1, 1, 1),
    ),
    "fast_share": _share("share of answers given faster than all but a few honest ones of the same kind"),
    "median_seconds": Metric("middle of the times taken for an answer", 0, 604_800, interval=True),
    "skips_in_row": _count("tasks given up one after another"),
    "acceptance_rate": _share("share of decided answers that were accepted"),
    "decided": _count("answers accepted or rejected for good"),
    "answers": _count("answers in the window", 1),
    "submitted": _count("answers in all", 1),
    "income_day_micros": Metric("what today's answers pay", 0, MICROS_MAX, whole=True, stranger=(1, 1, 1)),
    "review_accuracy": _share("mean score in reviews"),
    "spammer_score": Metric(
        "how much the answers tell of the truth, 0 nothing and 1 all (Raykar and Yu, 2012)",
        0,
        1,
        interval=True,
        stranger=(0, None, 1),
    ),
    "repetition": Metric(
        "how likely so much of the same answer is by chance; a constant one's gets small",
        0,
        1,
        stranger=(1, 1, 1),
    ),
    "turned": Metric(
        "how many times over (natural logarithm) the latest results fit chance better than the worker's own earlier"
        " level",
        0,
        100,
        stranger=(0, 0, 0),
    ),
    "training_score": _share("score in training"),
    "exam_score": _share("score in exams"),
}
# The figures that a worker may not know of himself.
CLOSED = METRICS.keys() - set(OPEN)

# The fields of each action beside `do`.
ACTIONS: dict[str, tuple[str, ...]] = {
    "limit": ("scope", "hours"),
    "slow_down": ("scope", "pace_s", "hours"),
    "extra_gold": ("scope", "hours"),
    "escalate": (),
    "set_skill": ("skill", "value"),
    "adjust_skill": ("skill", "by"),
    "raise_overlap": ("by", "answers"),
    "reopen": ("answers",),
    "hold": ("days",),
    "release": (),
    "ask_review": (),
    "notify": (),
}
SANCTIONS = ("limit", "slow_down", "extra_gold", "escalate")
SKILLS = ("set_skill", "adjust_skill")
# What costs the worker or the requester something, and must not meet everybody.
COSTLY = (*SANCTIONS, "raise_overlap", "reopen", "hold")
BATCH_SCOPES = ("batch", "project", "requester")
PLATFORM_SCOPES = (*BATCH_SCOPES, "platform")

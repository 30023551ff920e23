"""How wrong labels may be, by a look at some of them: bounds from a random sample, and how many more looks prove one.

The bound is that of Clopper and Pearson, one-sided: the largest share of errors under which a sample as good as this
one, or better, still has a probability of 1 - confidence. It holds whatever the share is, with no normal approximation.
Where no error was found, n looks prove a share of about 3 / n at 95 % (the rule of three). Items are drawn without
putting them back, for which the bound errs on the safe side.
Sources: Clopper and Pearson, Biometrika 26 (1934), doi:10.1093/biomet/26.4.404; Hanley and Lippman-Hand, JAMA 249
(1983), doi:10.1001/jama.1983.03330370053031.
"""

from math import ceil, exp, expm1, inf, lgamma, log, log1p

# Halving so often leaves nothing that a float could tell apart.
HALVINGS = 60
LOOKS_MAX = 10_000_000


def error_bound(errors: int, looked_at: int, *, confidence: float = 0.95) -> float:
    """The share of errors that is not exceeded with this confidence, when `errors` were found in `looked_at` random
    items; 1 where nothing was looked at.

    >>> round(error_bound(0, 149), 4)
    0.0199
    >>> error_bound(0, 0)
    1.0
    """
    _check(errors, looked_at, confidence)
    if errors == looked_at:
        return 1.0
    if errors == 0:
        # 1 - (1 - confidence) ** (1 / n), by its logarithm.
        return -expm1(log1p(-confidence) / looked_at)
    low, high = errors / looked_at, 1.0
    wanted = log1p(-confidence)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _log_at_most(errors, looked_at, middle) > wanted:
            low = middle
        else:
            high = middle
    return high


def more_looks(errors: int, looked_at: int, *, share: float, confidence: float = 0.95) -> int:
    """How many more random items must be looked at, and be found right, until it is proven that at most this share of
    all is wrong; 0 where it is.

    Each error that is found on the way raises the number: ask again then. Raises `ValueError` for a share that is not
    between 0 and 1, or so small that nobody could look at so many.

    >>> more_looks(0, 87, share=0.02)
    62
    >>> more_looks(0, 0, share=0.02), more_looks(0, 149, share=0.02)
    (149, 0)
    """
    _check(errors, looked_at, confidence)
    if not 0 < share < 1:
        raise ValueError(f"a share lies between 0 and 1: {share}")
    if _proven(errors, looked_at, share, confidence):
        return 0
    low = looked_at
    high = max(looked_at, ceil(log1p(-confidence) / log1p(-share)), 1)
    while high <= LOOKS_MAX and not _proven(errors, high, share, confidence):
        low, high = high, 2 * high
    if high > LOOKS_MAX:
        raise ValueError(f"more than {LOOKS_MAX} looks would be needed")
    while high - low > 1:
        middle = (low + high) // 2
        if _proven(errors, middle, share, confidence):
            high = middle
        else:
            low = middle
    return high - looked_at


def _proven(errors: int, looked_at: int, share: float, confidence: float) -> bool:
    """Whether so few errors are improbable enough if more than this share were wrong."""
    return looked_at > errors and _log_at_most(errors, looked_at, share) <= log1p(-confidence)


def _log_at_most(errors: int, looks: int, share: float) -> float:
    """The logarithm of the probability of at most so many errors among so many looks."""
    if share >= 1:
        return -inf
    terms = [
        lgamma(looks + 1) - lgamma(k + 1) - lgamma(looks - k + 1) + k * log(share) + (looks - k) * log1p(-share)
        for k in range(errors + 1)
    ]
    most = max(terms)
    return most + log(sum(exp(term - most) for term in terms))


def _check(errors: int, looked_at: int, confidence: float) -> None:
    if not 0 <= errors <= looked_at:
        raise ValueError(f"{errors} errors cannot be found in {looked_at} items")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1: {confidence}")

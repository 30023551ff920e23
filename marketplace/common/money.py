"""Money is an integer of millionths of a currency. Nothing here knows fractions, so nothing can lose one."""

MICROS = 1_000_000
BASIS_POINTS = 10_000
AMOUNT_MAX = 10**15  # one thousand million currency units; the database holds the same bound


def share_rounded_up(amount_micros: int, basis_points: int) -> int:
    """`basis_points` ten-thousandths of the amount, rounded up to a whole micro-unit: a fee never rounds on a worker.

    >>> share_rounded_up(20_001, 1_000)
    2001
    """
    if amount_micros < 0 or not 0 <= basis_points <= BASIS_POINTS:
        raise ValueError(f"the amount must not be negative, the share between 0 and {BASIS_POINTS} basis points")
    return -(-amount_micros * basis_points // BASIS_POINTS)


def exact(amount_micros: int) -> str:
    """The amount in units of its currency, to the last digit: `12.50`; further digits only where they are not zero.

    >>> exact(12_500_000), exact(-1), exact(0)
    ('12.50', '-0.000001', '0.00')
    """
    sign = "-" if amount_micros < 0 else ""
    whole, micros = divmod(abs(amount_micros), MICROS)
    digits = f"{micros:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{digits}"


def shown(amount_micros: int, currency: str) -> str:
    """The amount in sentences for people, its thousands grouped as on pages.

    >>> shown(1_012_500_000, "EUR"), shown(-1, "EUR")
    ('1,012.50 EUR', '-0.000001 EUR')
    """
    whole, _point, digits = exact(abs(amount_micros)).partition(".")
    return f"{'-' if amount_micros < 0 else ''}{int(whole):,}.{digits} {currency}"

"""How long the machines run: the same examples each time in CI, more and random ones with HYPOTHESIS_PROFILE=soak."""

import os

from hypothesis import HealthCheck, settings

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"


def effort(*, examples: int, soak_examples: int, steps: int) -> settings:
    """Settings of one machine. CI always walks the same examples, so that it fails for a change and not by chance."""
    return settings(
        max_examples=soak_examples if SOAK else examples,
        stateful_step_count=steps,
        derandomize=not SOAK,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )

"""`./run bench outbox` in small, on the servers of the tests: others of their transactions may hold the reader back."""

import pytest

from tests.benchmarks.bench_outbox import follow


@pytest.mark.committed
def test_a_reader_by_horizon_misses_nothing_of_many_writers_rollbacks_and_a_straggler(committed: str) -> None:
    found = follow("bench", 16, 25, rate=200.0, straggler_s=1.0)

    assert found["transactions"] == 400
    assert 0 < found["committed"] < 400, "some were rolled back, and not all"
    assert (found["read"], found["missed"], found["twice"], found["invented"]) == (found["committed"], 0, 0, 0)
    assert found["left"] == 0
    assert found["held_max_s"] > 0.3, "the straggler held the horizon, and that was seen"
    assert found["lag_max_ms"] > 300

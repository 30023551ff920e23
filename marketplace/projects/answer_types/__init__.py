"""What a worker can be asked: each module with an `ANSWER_TYPE` is one type, found by `registry`. Pure: no tables."""

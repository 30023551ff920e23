"""What a worker can be asked: each folder with an `ANSWER_TYPE` is one type, found by `registry`. Pure: no tables."""

"""One durable transaction, one command, one stored answer (R16)."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from marketplace.common.commands import forget_old
from marketplace.common.database import run, value
from marketplace.common.errors import KeyReused
from marketplace.common.transactions import one_transaction, require_transaction


def count_rows() -> int:
    return int(value("SELECT count(*) FROM common_idempotency"))


def answer(principal: str, key: str, body: bytes, hash_: bytes = b"h") -> bytes:
    with one_transaction(principal=principal, key=key, body_hash=hash_) as once:
        if once.stored:
            return once.stored.body
        once.keep(201, body)
        return body


@pytest.mark.django_db
def test_a_repeat_gets_the_first_answer_to_the_byte() -> None:
    assert answer("zoe", "k", b"first") == b"first"
    assert answer("zoe", "k", b"second") == b"first"
    assert answer("ben", "k", b"other person") == b"other person"


@pytest.mark.django_db
def test_the_same_key_with_another_body_is_refused() -> None:
    answer("zoe", "k", b"first")
    with pytest.raises(KeyReused):
        answer("zoe", "k", b"second", hash_=b"other")


@pytest.mark.django_db
def test_a_refusal_rolls_back_its_key_and_may_be_tried_again() -> None:
    def refuse() -> None:
        with one_transaction(principal="zoe", key="k", body_hash=b"h"):
            raise LookupError("no")

    with pytest.raises(LookupError):
        refuse()
    assert count_rows() == 0
    assert answer("zoe", "k", b"later") == b"later"


def test_twins_at_once_run_once_and_read_the_same(committed: str, together: Callable[..., list[Any]]) -> None:
    ran: list[int] = []

    def ask(number: int) -> bytes:
        with one_transaction(principal="zoe", key="k", body_hash=b"h") as once:
            if once.stored:
                return once.stored.body
            ran.append(number)
            time.sleep(0.05)
            once.keep(200, b"%d" % number)
            return b"%d" % number

    results = together([lambda n=n: ask(n) for n in range(10)])
    assert len(ran) == 1
    assert set(results) == {b"%d" % ran[0]}


def test_when_the_first_twin_fails_a_waiting_one_takes_over(committed: str, together: Callable[..., list[Any]]) -> None:
    ran: list[int] = []

    def ask(number: int) -> bytes:
        with one_transaction(principal="zoe", key="k", body_hash=b"h") as once:
            if once.stored:
                return once.stored.body
            ran.append(number)
            time.sleep(0.05)
            if len(ran) == 1:
                raise LookupError("the first dies")
            once.keep(200, b"done")
            return b"done"

    results = together([lambda n=n: ask(n) for n in range(6)])
    assert len(ran) == 2
    assert sum(isinstance(result, LookupError) for result in results) == 1
    assert [result for result in results if not isinstance(result, LookupError)] == [b"done"] * 5


def test_a_command_outside_a_transaction_is_a_bug_and_says_so() -> None:
    with pytest.raises(RuntimeError, match="one_transaction"):
        require_transaction()


def test_a_boundary_inside_a_boundary_is_refused(committed: str) -> None:
    inner = one_transaction(principal="b")
    with one_transaction(principal="a"), pytest.raises(RuntimeError, match="durable"), inner:
        pass


@pytest.mark.django_db
def test_stored_answers_are_kept_for_thirty_days() -> None:
    answer("zoe", "old", b"x")
    answer("zoe", "new", b"x")
    run("UPDATE common_idempotency SET status = 200 WHERE key = 'old'")
    with one_transaction(principal="system"):
        assert forget_old() == 0
    run("UPDATE test_clock SET shift = '29 days'")
    with one_transaction(principal="system"):
        assert forget_old() == 0
    run("UPDATE test_clock SET shift = '31 days'")
    with one_transaction(principal="system"):
        assert forget_old() == 2

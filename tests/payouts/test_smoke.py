from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.runs import make_run, report_outcome
from tests.payouts import people as p


def test_it(committed, clock):
    w, d = p.ready(clock)
    staff = p.make_staff()
    payout = p.approved(w, d, staff)
    assert p.money_of(w) == {"earned": 99 * p.EURO, "withdrawing": p.EURO}
    with one_transaction(principal="t"):
        run = make_run(provider_name="manual", currency="EUR", by=staff.pk)
    with one_transaction(principal="t"):
        assert report_outcome(run_id=run.pk, outcome="settled", payouts=None) == 1
    assert p.state_of(payout) == "settled"
    with one_transaction(principal="t"):
        assert report_outcome(run_id=run.pk, outcome="returned", payouts=None, reason="x") == 1
    assert p.money_of(w) == {"earned": 100 * p.EURO, "withdrawing": 0}
    assert [f for f in check_promises() if f.violations] == []

"""Deposits that were recorded before their evidence was kept: one row for each transfer that says who recorded it."""

from django.db import migrations

EARLIER = """
INSERT INTO billing_deposit (public_id, requester_id, amount_micros, currency, channel, reference, evidence,
                             recorded_by_id, transfer_key, made_at)
SELECT gen_random_uuid(), r.id, t.amount_micros, t.currency, 'bank', substr(t.key, length('deposit:') + 1),
       'Recorded before evidence was kept.', u.id, t.key, t.made_at
  FROM ledger_transfer t
  JOIN ledger_account s ON s.id = t.source_id AND s.address = 'outside:bank'
  JOIN ledger_account d ON d.id = t.destination_id
  JOIN accounts_requester r ON d.address = 'requester:' || r.public_id || ':funds'
  JOIN accounts_user u ON t.memo = 'recorded by ' || u.public_id
 WHERE t.kind = 'deposit' AND starts_with(t.key, 'deposit:') AND length(t.key) BETWEEN 9 AND 208
 ORDER BY t.id
    ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_guards")]
    operations = [migrations.RunSQL(EARLIER, migrations.RunSQL.noop)]

"""A payout takes money of its own user's worker only; payouts themselves know no workers."""

from django.db import migrations

HOLDERS = """
ALTER TABLE profiles_worker ADD CONSTRAINT worker_of_user UNIQUE (public_id, user_id);
ALTER TABLE payouts_payout ADD CONSTRAINT payout_holder
    FOREIGN KEY (holder, user_id) REFERENCES profiles_worker (public_id, user_id);
ALTER TABLE payouts_threshold ADD CONSTRAINT threshold_holder
    FOREIGN KEY (holder, user_id) REFERENCES profiles_worker (public_id, user_id);
"""
UNDO = """
ALTER TABLE payouts_threshold DROP CONSTRAINT threshold_holder;
ALTER TABLE payouts_payout DROP CONSTRAINT payout_holder;
ALTER TABLE profiles_worker DROP CONSTRAINT worker_of_user;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("payouts", "0002_guards"), ("profiles", "0005_histories")]
    operations = [migrations.RunSQL(HOLDERS, UNDO)]

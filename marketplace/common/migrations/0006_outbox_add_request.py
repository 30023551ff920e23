"""Beside each event the request in whose transaction it was written, so that logs can be followed across processes.

It comes from a setting of the transaction: functions of the database write events too, and know of no request.
"""

from django.db import migrations

ADD = """
ALTER TABLE common_outbox ADD COLUMN request uuid
    DEFAULT nullif(current_setting('touchstone.request', true), '')::uuid
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0005_chains")]

    operations = [migrations.RunSQL(ADD, "ALTER TABLE common_outbox DROP COLUMN request")]

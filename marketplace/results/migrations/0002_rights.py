"""Results are written once and never changed."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON results_run FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON results_result FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_run FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE results_run ENABLE ALWAYS TRIGGER closed;
ALTER TABLE results_run ENABLE ALWAYS TRIGGER closed_truncate;
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_result FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE results_result ENABLE ALWAYS TRIGGER closed;
ALTER TABLE results_result ENABLE ALWAYS TRIGGER closed_truncate;
GRANT SELECT, INSERT ON results_run, results_result TO touchstone_runtime;
"""
UNDO = """
DROP TRIGGER closed ON results_run; DROP TRIGGER closed_truncate ON results_run;
DROP TRIGGER closed ON results_result; DROP TRIGGER closed_truncate ON results_result;
"""


class Migration(migrations.Migration):
    dependencies = [("results", "0001_results"), ("common", "0001_foundations")]
    operations = [migrations.RunSQL([FORWARD], UNDO)]

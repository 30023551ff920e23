"""Defaults and rights of the runtime role; outcomes are append-only."""

from django.db import migrations

FORWARD = """
ALTER TABLE reputation_standing ALTER evidence SET DEFAULT 0, ALTER answers SET DEFAULT 0,
    ALTER shown_evidence SET DEFAULT 0, SET (fillfactor = 50);
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON reputation_outcome FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON reputation_outcome FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE reputation_outcome ENABLE ALWAYS TRIGGER closed;
ALTER TABLE reputation_outcome ENABLE ALWAYS TRIGGER closed_truncate;
GRANT SELECT, INSERT, UPDATE ON reputation_standing TO touchstone_runtime;
GRANT SELECT, INSERT ON reputation_outcome TO touchstone_runtime;
CREATE VIEW inv_r40 AS
    SELECT s.worker_id, s.project_id, s.evidence, o.judged, s.answers, o.answers AS outcomes,
           s.alpha + s.beta AS weight FROM reputation_standing s
      JOIN (SELECT worker_id, project_id, count(score) AS judged, count(*) AS answers, coalesce(sum(score), 0) AS good
              FROM reputation_outcome GROUP BY worker_id, project_id) o USING (worker_id, project_id)
     WHERE s.evidence <> o.judged OR s.answers <> o.answers;
COMMENT ON VIEW inv_r40 IS 'Every standing rests on exactly the outcomes that were recorded.';
GRANT SELECT ON inv_r40 TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("reputation", "0001_reputation"), ("common", "0001_foundations")]
    operations = [
        migrations.RunSQL(
            [FORWARD],
            "DROP VIEW inv_r40; DROP TRIGGER closed ON reputation_outcome;"
            " DROP TRIGGER closed_truncate ON reputation_outcome;",
        )
    ]

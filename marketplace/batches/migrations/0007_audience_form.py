"""Audiences become trees of conditions: the one condition there was so far is written in the new form.

`min_score` held for workers with at least `min_evidence` judged answers, and let the others in.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE batches_batch DISABLE TRIGGER batch_step;
UPDATE batches_batch SET audience = CASE
    WHEN NOT audience ? 'min_score' THEN '{}'
    WHEN coalesce((audience->>'min_evidence')::numeric, 0) = 0
        THEN jsonb_build_object('score', jsonb_build_object('min', audience->'min_score'))
    ELSE jsonb_build_object('any', jsonb_build_array(
        jsonb_build_object('score', jsonb_build_object('min', audience->'min_score')),
        jsonb_build_object('not', jsonb_build_object('score',
            jsonb_build_object('min_evidence', audience->'min_evidence')))))
    END
 WHERE audience ?| ARRAY['min_score', 'min_evidence'];
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER batch_step;
"""

# What has no old form is left: the older program takes it for everybody.
BACK = """
ALTER TABLE batches_batch DISABLE TRIGGER batch_step;
UPDATE batches_batch SET audience = jsonb_strip_nulls(jsonb_build_object(
    'min_score', coalesce(audience->'any'->0, audience)->'score'->'min',
    'min_evidence', audience->'any'->1->'not'->'score'->'min_evidence'))
 WHERE audience = jsonb_build_object('score', jsonb_build_object('min', audience->'score'->'min'))
    OR audience = jsonb_build_object('any', jsonb_build_array(
        jsonb_build_object('score', jsonb_build_object('min', audience->'any'->0->'score'->'min')),
        jsonb_build_object('not', jsonb_build_object('score',
            jsonb_build_object('min_evidence', audience->'any'->1->'not'->'score'->'min_evidence')))));
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER batch_step;
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0006_import_guards")]
    operations = [migrations.RunSQL(FORWARD, BACK)]

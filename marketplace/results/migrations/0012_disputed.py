"""Tasks whose answers differ are found at once, those of old consensus too.

Of fields without labels it is not known any more how many answers they had that agree; their confidence stands for it,
as it does from now on.
"""

from django.db import migrations

DISPUTED = """
UPDATE results_consensus c SET disputed = true
 WHERE NOT c.disputed AND (c.unclear > 0 OR EXISTS (
    SELECT 1 FROM jsonb_each(c.values) AS f(name, found)
     WHERE CASE WHEN jsonb_typeof(f.found -> 'labels') = 'object'
                THEN (SELECT count(*) FROM jsonb_object_keys(f.found -> 'labels')) > 1
                ELSE (f.found ->> 'answers')::integer > 1 AND (f.found ->> 'posterior')::float8 < 0.8 END))
"""


class Migration(migrations.Migration):
    dependencies = [("results", "0011_adjudications")]
    operations = [migrations.RunSQL([DISPUTED], migrations.RunSQL.noop)]

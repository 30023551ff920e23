"""Outcomes say what kind of thing happened and can be undone; standings decay, and there are skills besides projects."""

import django.db.models.deletion
from django.db import migrations, models

# Rows that were there: one for each answer, with its score where the answer was gold. Now an answer is one row and what
# it was judged by another. Which label was right is not known any more.
EXISTING = """
-- Nothing may wait for the end of the transaction in a table that changes further.
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE reputation_outcome DISABLE TRIGGER closed;
UPDATE reputation_outcome o
   SET requester_id = p.requester_id, kind = CASE WHEN o.score IS NULL THEN 'answer' ELSE 'gold' END,
       answer_type = coalesce((SELECT coalesce(
           jsonb_path_query_first(v.interface, '$.answer[*] ? (@.type == "choice" && @.multiple != true)'),
           v.interface->'answer'->0)->>'type'
          FROM batches_batch b JOIN projects_version v ON v.id = b.version_id WHERE b.id = o.batch_id), '')
  FROM projects_project p WHERE p.id = o.project_id;
INSERT INTO reputation_outcome (worker_id, project_id, requester_id, batch_id, kind, answer_type, made_at,
                                weight, round, field, reason)
SELECT worker_id, project_id, requester_id, batch_id, 'answer', answer_type, made_at, 1, 0, '', ''
  FROM reputation_outcome WHERE kind = 'gold' ORDER BY id;
ALTER TABLE reputation_outcome ENABLE ALWAYS TRIGGER closed, ALTER requester_id SET NOT NULL;

-- The same steps in the same order as `scoring.folded` takes them, so that what is kept is what is rebuilt, to the bit.
UPDATE reputation_standing SET alpha = 2, beta = 1, evidence = 0;
DO $$
DECLARE
    o record;
    name text;
BEGIN
    FOR o IN SELECT *, floor(extract(epoch FROM made_at) / 86400)::integer AS at FROM reputation_outcome
              WHERE kind = 'gold' ORDER BY id LOOP
        UPDATE reputation_standing s
           SET alpha = CASE WHEN o.at > s.day THEN 2 + (s.alpha - 2) * power(2, -((o.at - s.day) / 90::float8)) + o.score
                            ELSE s.alpha + o.score * power(2, -((s.day - o.at) / 90::float8)) END,
               beta = CASE WHEN o.at > s.day THEN 1 + (s.beta - 1) * power(2, -((o.at - s.day) / 90::float8)) + (1 - o.score)
                           ELSE s.beta + (1 - o.score) * power(2, -((s.day - o.at) / 90::float8)) END,
               evidence = s.evidence + 1, day = greatest(s.day, o.at)
         WHERE s.worker_id = o.worker_id AND s.project_id = o.project_id;
        FOREACH name IN ARRAY CASE WHEN o.answer_type = '' THEN ARRAY['global']
                                   ELSE ARRAY['global', 'type:' || o.answer_type] END LOOP
            INSERT INTO reputation_facet AS f (worker_id, facet, requester_id, alpha, beta, evidence, day)
            VALUES (o.worker_id, name, o.requester_id, o.score, 1 - o.score, 1, o.at)
            ON CONFLICT (worker_id, facet, requester_id) DO UPDATE
               SET alpha = CASE WHEN o.at > f.day THEN f.alpha * power(2, -((o.at - f.day) / 90::float8)) + o.score
                                ELSE f.alpha + o.score * power(2, -((f.day - o.at) / 90::float8)) END,
                   beta = CASE WHEN o.at > f.day THEN f.beta * power(2, -((o.at - f.day) / 90::float8)) + (1 - o.score)
                               ELSE f.beta + (1 - o.score) * power(2, -((f.day - o.at) / 90::float8)) END,
                   evidence = f.evidence + 1, day = greatest(f.day, o.at);
        END LOOP;
    END LOOP;
END $$;
"""

GUARDS = """
ALTER TABLE reputation_outcome ALTER weight SET DEFAULT 1, ALTER round SET DEFAULT 0, ALTER field SET DEFAULT '',
    ALTER answer_type SET DEFAULT '', ALTER reason SET DEFAULT '';
ALTER TABLE reputation_standing ALTER day SET DEFAULT 0, ALTER judged_since SET DEFAULT 0,
    ALTER agreed_since SET DEFAULT 0, ALTER undone_since SET DEFAULT 0, ALTER shown_type SET DEFAULT '';
ALTER TABLE reputation_facet SET (fillfactor = 50);
ALTER TABLE reputation_confusion SET (fillfactor = 70);

-- What takes an outcome back says of it what the outcome said, and takes back nothing but a judgement.
CREATE FUNCTION reputation_undo_of() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM reputation_outcome o
         WHERE o.id = NEW.undoes_id AND o.kind IN ('gold', 'agreement', 'review')
           AND (o.worker_id, o.project_id, o.requester_id, o.batch_id, o.score, o.weight, o.field, o.answer_type)
               = (NEW.worker_id, NEW.project_id, NEW.requester_id, NEW.batch_id, NEW.score, NEW.weight, NEW.field,
                  NEW.answer_type)
           AND (o.assignment_id, o.task_id, o.truth, o.given, o.easiness)
               IS NOT DISTINCT FROM (NEW.assignment_id, NEW.task_id, NEW.truth, NEW.given, NEW.easiness)) THEN
        RAISE EXCEPTION 'only a judgement is undone, and as it was recorded'
            USING errcode = '23514', constraint = 'undo_of';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER undo_of BEFORE INSERT ON reputation_outcome FOR EACH ROW
    WHEN (NEW.kind = 'undo') EXECUTE FUNCTION reputation_undo_of();
ALTER TABLE reputation_outcome ENABLE ALWAYS TRIGGER undo_of;

CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON reputation_change FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON reputation_change FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE reputation_change ENABLE ALWAYS TRIGGER closed;
ALTER TABLE reputation_change ENABLE ALWAYS TRIGGER closed_truncate;

-- Outcomes are read by the gold reader alone: which of them are judgements of gold would tell which tasks are.
REVOKE SELECT ON reputation_outcome FROM touchstone_runtime;
GRANT SELECT ON reputation_outcome TO gold_reader;
GRANT SELECT, INSERT, UPDATE ON reputation_facet, reputation_confusion TO touchstone_runtime;
GRANT SELECT, INSERT ON reputation_change TO touchstone_runtime;

-- Make what standings (pairs of worker and project) and facets (worker, facet, requester) are missing, lock all of them in
-- the order of their keys, and return them. First everything is made, then everything locked: two callers that each
-- made what the other has locked would wait for each other.
CREATE FUNCTION reputation_open(p_workers bigint[], p_projects bigint[], p_f_workers bigint[], p_f_facets text[],
                                p_f_requesters bigint[])
RETURNS TABLE (worker bigint, place text, holder bigint, alpha float8, beta float8, evidence integer, day integer,
               answers integer, judged_since integer, agreed_since integer, undone_since integer)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO reputation_standing (worker_id, project_id, alpha, beta, shown_alpha, shown_beta, changed_at)
    SELECT g.w, g.p, 2, 1, 2, 1, market_now() FROM unnest(p_workers, p_projects) AS g(w, p) ORDER BY g.w, g.p
    ON CONFLICT DO NOTHING;
    IF cardinality(p_f_workers) > 0 THEN
        INSERT INTO reputation_facet (worker_id, facet, requester_id, alpha, beta, evidence, day)
        SELECT g.w, g.f, g.r, 0, 0, 0, 0 FROM unnest(p_f_workers, p_f_facets, p_f_requesters) AS g(w, f, r)
         ORDER BY g.w, g.f, g.r
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN QUERY
    SELECT s.worker_id, '', s.project_id, s.alpha, s.beta, s.evidence, s.day, s.answers, s.judged_since, s.agreed_since,
           s.undone_since
      FROM reputation_standing s JOIN unnest(p_workers, p_projects) AS g(w, p) ON s.worker_id = g.w AND s.project_id = g.p
     ORDER BY s.worker_id, s.project_id FOR NO KEY UPDATE OF s;
    IF cardinality(p_f_workers) > 0 THEN
        RETURN QUERY
        SELECT f.worker_id, f.facet, f.requester_id, f.alpha, f.beta, f.evidence, f.day, 0, 0, 0, 0
          FROM reputation_facet f
          JOIN unnest(p_f_workers, p_f_facets, p_f_requesters) AS g(w, f, r)
            ON f.worker_id = g.w AND f.facet = g.f AND f.requester_id = g.r
         ORDER BY f.worker_id, f.facet, f.requester_id FOR NO KEY UPDATE OF f;
    END IF;
END $$;

-- Append outcomes, in the order of the list; returns those that were new with the weight and the day they count with.
-- The caller holds the standings, so that ids rise in the order in which outcomes are folded. The runtime role may not
-- read outcomes, and learns from this only which of its own were stored.
CREATE FUNCTION reputation_record(p_rows jsonb)
RETURNS TABLE (item integer, id bigint, weight float8, day integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := market_now();
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT r.*, nextval(pg_get_serial_sequence('reputation_outcome', 'id')) AS id
          FROM (SELECT * FROM jsonb_to_recordset(p_rows) AS j(
                    item integer, worker_id bigint, project_id bigint, batch_id bigint, requester_id bigint, kind text,
                    score float8, weight float8, assignment_id bigint, task_id bigint, field text, truth text, given text,
                    answer_type text, took_ms integer, digest bigint, easiness float8, undoes bigint, round smallint,
                    reason text, made_at timestamptz) ORDER BY item) r
    ), stored AS (
        INSERT INTO reputation_outcome AS o
            (id, worker_id, project_id, batch_id, requester_id, kind, score, weight, assignment_id, task_id, field, truth,
             given, answer_type, took_ms, digest, easiness, undoes_id, round, reason, made_at)
        SELECT g.id, g.worker_id, g.project_id, g.batch_id, g.requester_id, g.kind, g.score,
               -- Beside a known answer the others' answers say nothing more about this one.
               CASE WHEN g.kind = 'agreement' AND EXISTS (
                   SELECT 1 FROM reputation_outcome x WHERE x.assignment_id = g.assignment_id AND x.kind = 'gold'
                      AND NOT EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = x.id)) THEN 0 ELSE g.weight END,
               g.assignment_id, g.task_id, g.field, g.truth, g.given, g.answer_type, g.took_ms, g.digest, g.easiness,
               g.undoes, g.round, g.reason, CASE WHEN g.score IS NULL THEN coalesce(g.made_at, moment) ELSE moment END
          FROM given g ORDER BY g.item
        ON CONFLICT DO NOTHING
        RETURNING o.id, o.weight, o.made_at
    )
    SELECT g.item, s.id, s.weight, floor(extract(epoch FROM s.made_at) / 86400)::integer
      FROM stored s JOIN given g ON g.id = s.id ORDER BY g.item;
END $$;
REVOKE EXECUTE ON FUNCTION reputation_record(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reputation_record(jsonb) TO touchstone_runtime;

-- How much of a mistake counts: in proportion to how seldom others make it.
CREATE FUNCTION reputation_blame(p_easiness float8) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(1, coalesce(p_easiness, 1) / 0.8);
"""

# Each judgement with what it adds, and each undo with what it takes away, as of day 0: decay is the same for all.
COUNTED = """
    SELECT o.worker_id, o.project_id, o.requester_id, o.field, o.answer_type, o.truth, o.given, o.weight,
           CASE WHEN o.undoes_id IS NULL THEN 1 ELSE -1 END AS side,
           o.score, reputation_blame(o.easiness) AS blame,
           floor(extract(epoch FROM coalesce(u.made_at, o.made_at)) / 86400) AS day
      FROM reputation_outcome o LEFT JOIN reputation_outcome u ON u.id = o.undoes_id
     WHERE o.kind IN ('gold', 'agreement', 'review', 'undo')
"""
VIEWS = f"""
DROP VIEW inv_r40;
CREATE VIEW inv_r40 AS
    SELECT s.worker_id, s.project_id, s.evidence, coalesce(o.judged, 0) AS judged, s.answers, coalesce(o.answers, 0) AS outcomes,
           s.alpha, s.beta, t.alpha AS expected_alpha, t.beta AS expected_beta
      FROM reputation_standing s
      LEFT JOIN (SELECT worker_id, project_id, count(*) FILTER (WHERE kind = 'answer') AS answers,
                        count(*) FILTER (WHERE kind IN ('gold', 'agreement', 'review') AND weight > 0)
                        - count(*) FILTER (WHERE kind = 'undo' AND weight > 0) AS judged
                   FROM reputation_outcome GROUP BY worker_id, project_id) o USING (worker_id, project_id)
      CROSS JOIN LATERAL (
          SELECT 2 + coalesce(sum(c.side * c.weight * c.score * power(2, (c.day - s.day) / 90)), 0) AS alpha,
                 1 + coalesce(sum(c.side * c.weight * (1 - c.score) * c.blame * power(2, (c.day - s.day) / 90)), 0) AS beta
            FROM ({COUNTED}) c WHERE c.worker_id = s.worker_id AND c.project_id = s.project_id) t
     WHERE s.evidence <> coalesce(o.judged, 0) OR s.answers <> coalesce(o.answers, 0)
        OR abs(s.alpha - t.alpha) > 1e-6 * s.alpha OR abs(s.beta - t.beta) > 1e-6 * s.beta;
COMMENT ON VIEW inv_r40 IS 'Every standing rests on exactly the outcomes that were recorded, and adds up to them.';
CREATE VIEW inv_r40_facets AS
    WITH told AS (
        SELECT c.*, f.facet FROM ({COUNTED}) c
         CROSS JOIN LATERAL (VALUES ('global'), ('type:' || nullif(c.answer_type, '')),
                                    ('class:' || c.project_id || ':' || c.field || ':' || c.truth)) AS f(facet)
         WHERE f.facet IS NOT NULL
    ), sums AS (
        SELECT t.worker_id, t.facet, t.requester_id, count(*) FILTER (WHERE t.weight > 0 AND t.side = 1)
               - count(*) FILTER (WHERE t.weight > 0 AND t.side = -1) AS judged,
               sum(t.side * t.weight * x.score * power(2, (t.day - f.day) / 90)) AS alpha,
               sum(t.side * t.weight * (1 - x.score) * t.blame * power(2, (t.day - f.day) / 90)) AS beta
          FROM told t
         CROSS JOIN LATERAL (SELECT CASE WHEN t.facet LIKE 'class:%' THEN (t.given IS NOT DISTINCT FROM t.truth)::integer
                                         ELSE t.score END AS score) x
          LEFT JOIN reputation_facet f USING (worker_id, facet, requester_id)
         GROUP BY t.worker_id, t.facet, t.requester_id
    )
    SELECT worker_id, facet, requester_id, f.evidence, coalesce(s.judged, 0) AS judged, f.alpha, f.beta,
           s.alpha AS expected_alpha, s.beta AS expected_beta
      FROM reputation_facet f FULL JOIN sums s USING (worker_id, facet, requester_id)
     WHERE f.evidence IS DISTINCT FROM coalesce(s.judged, 0)
        OR abs(f.alpha - coalesce(s.alpha, 0)) > 1e-6 * (1 + f.alpha)
        OR abs(f.beta - coalesce(s.beta, 0)) > 1e-6 * (1 + f.beta);
COMMENT ON VIEW inv_r40_facets IS 'What is known of a worker beyond a project adds up to the outcomes that were recorded.';
CREATE VIEW inv_r40_confusion AS
    SELECT worker_id, project_id, field, truth, given, coalesce(c.weight, 0) AS weight, coalesce(o.weight, 0) AS expected
      FROM (SELECT worker_id, project_id, field, truth, given,
                   sum(CASE WHEN kind = 'undo' THEN -weight ELSE weight END) AS weight
              FROM reputation_outcome o
             WHERE o.truth IS NOT NULL AND o.given IS NOT NULL
               AND (o.kind IN ('gold', 'agreement')
                    OR o.kind = 'undo' AND (SELECT u.kind FROM reputation_outcome u WHERE u.id = o.undoes_id) <> 'review')
             GROUP BY worker_id, project_id, field, truth, given) o
      FULL JOIN reputation_confusion c USING (worker_id, project_id, field, truth, given)
     WHERE abs(coalesce(c.weight, 0) - coalesce(o.weight, 0)) > 1e-6 * (1 + coalesce(c.weight, 0));
COMMENT ON VIEW inv_r40_confusion IS 'How labels were taken for each other adds up to the outcomes that were recorded.';
GRANT SELECT ON inv_r40, inv_r40_facets, inv_r40_confusion TO touchstone_runtime;
"""

UNDO = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM reputation_outcome WHERE kind NOT IN ('answer', 'gold')) THEN
        RAISE EXCEPTION 'outcomes were recorded that an earlier version could not count';
    END IF;
END $$;
DROP VIEW inv_r40_confusion; DROP VIEW inv_r40_facets; DROP VIEW inv_r40;
DROP FUNCTION reputation_blame(float8);
DROP FUNCTION reputation_record(jsonb);
DROP FUNCTION reputation_open(bigint[], bigint[], bigint[], text[], bigint[]);
DROP TRIGGER closed ON reputation_change; DROP TRIGGER closed_truncate ON reputation_change;
DROP TRIGGER undo_of ON reputation_outcome; DROP FUNCTION reputation_undo_of();
REVOKE SELECT ON reputation_outcome FROM gold_reader;
GRANT SELECT ON reputation_outcome TO touchstone_runtime;
-- One row for each answer again: the judgement stands for the answer that it judged.
ALTER TABLE reputation_outcome DISABLE TRIGGER closed;
DELETE FROM reputation_outcome WHERE id IN (
    SELECT a.id FROM (SELECT *, row_number() OVER same AS turn FROM reputation_outcome WHERE kind = 'answer'
                      WINDOW same AS (PARTITION BY worker_id, batch_id, coalesce(assignment_id::text, made_at::text) ORDER BY id)) a
      JOIN (SELECT *, row_number() OVER same AS turn FROM reputation_outcome WHERE kind = 'gold'
            WINDOW same AS (PARTITION BY worker_id, batch_id, coalesce(assignment_id::text, made_at::text) ORDER BY id)) g
        ON (a.worker_id, a.batch_id, coalesce(a.assignment_id::text, a.made_at::text), a.turn)
         = (g.worker_id, g.batch_id, coalesce(g.assignment_id::text, g.made_at::text), g.turn));
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE reputation_outcome ENABLE ALWAYS TRIGGER closed;
UPDATE reputation_standing s SET alpha = 2 + coalesce(o.good, 0), beta = 1 + coalesce(o.bad, 0)
  FROM reputation_standing t
  LEFT JOIN (SELECT worker_id, project_id, sum(score) AS good, sum(1 - score) AS bad FROM reputation_outcome
              WHERE score IS NOT NULL GROUP BY worker_id, project_id) o USING (worker_id, project_id)
 WHERE (s.worker_id, s.project_id) = (t.worker_id, t.project_id);
CREATE VIEW inv_r40 AS
    SELECT s.worker_id, s.project_id, s.evidence, o.judged, s.answers, o.answers AS outcomes,
           s.alpha + s.beta AS weight FROM reputation_standing s
      JOIN (SELECT worker_id, project_id, count(score) AS judged, count(*) AS answers, coalesce(sum(score), 0) AS good
              FROM reputation_outcome GROUP BY worker_id, project_id) o USING (worker_id, project_id)
     WHERE s.evidence <> o.judged OR s.answers <> o.answers;
COMMENT ON VIEW inv_r40 IS 'Every standing rests on exactly the outcomes that were recorded.';
GRANT SELECT ON inv_r40 TO touchstone_runtime;
"""

KINDS = [(kind, kind.title()) for kind in ("answer", "gold", "agreement", "review", "skip", "undo", "training", "exam")]


def to(model: str, **more: object) -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=model, **more
    )


def key(*columns: str) -> models.CompositePrimaryKey:
    return models.CompositePrimaryKey(*columns, blank=True, editable=False, primary_key=True, serialize=False)


def check(name: str, condition: models.Q) -> migrations.AddConstraint:
    return migrations.AddConstraint("outcome", models.CheckConstraint(condition=condition, name=name))


class Migration(migrations.Migration):
    dependencies = [
        ("reputation", "0002_rights"),
        ("accounts", "0003_second_factor"),
        ("batches", "0009_money_terms"),
        ("profiles", "0003_persons"),
        ("projects", "0002_published_is_final"),
    ]
    operations = [
        migrations.AddField("outcome", "requester", to("accounts.requester", null=True, db_constraint=False)),
        migrations.AddField("outcome", "kind", models.CharField(choices=KINDS, default="answer", max_length=9)),
        migrations.AddField("outcome", "weight", models.FloatField(default=1.0)),
        migrations.AddField("outcome", "assignment_id", models.BigIntegerField(null=True)),
        migrations.AddField("outcome", "task_id", models.BigIntegerField(null=True)),
        migrations.AddField("outcome", "field", models.TextField(default="")),
        migrations.AddField("outcome", "truth", models.TextField(null=True)),
        migrations.AddField("outcome", "given", models.TextField(null=True)),
        migrations.AddField("outcome", "answer_type", models.TextField(default="")),
        migrations.AddField("outcome", "took_ms", models.IntegerField(null=True)),
        migrations.AddField("outcome", "digest", models.BigIntegerField(null=True)),
        migrations.AddField("outcome", "easiness", models.FloatField(null=True)),
        migrations.AddField("outcome", "undoes", to("reputation.outcome", null=True)),
        migrations.AddField("outcome", "round", models.SmallIntegerField(default=0)),
        migrations.AddField("outcome", "reason", models.TextField(default="")),
        migrations.AddField("standing", "day", models.IntegerField(default=0)),
        migrations.AddField("standing", "judged_since", models.IntegerField(default=0)),
        migrations.AddField("standing", "agreed_since", models.IntegerField(default=0)),
        migrations.AddField("standing", "undone_since", models.IntegerField(default=0)),
        migrations.AddField("standing", "shown_type", models.TextField(default="")),
        migrations.CreateModel(
            name="Facet",
            fields=[
                ("pk", key("worker_id", "facet", "requester_id")),
                ("facet", models.TextField()),
                ("alpha", models.FloatField()),
                ("beta", models.FloatField()),
                ("evidence", models.PositiveIntegerField()),
                ("day", models.IntegerField()),
                ("requester", to("accounts.requester")),
                ("worker", to("profiles.worker")),
            ],
        ),
        migrations.CreateModel(
            name="Confusion",
            fields=[
                ("pk", key("worker_id", "project_id", "field", "truth", "given")),
                ("field", models.TextField()),
                ("truth", models.TextField()),
                ("given", models.TextField()),
                ("weight", models.FloatField()),
                ("project", to("projects.project")),
                ("worker", to("profiles.worker")),
            ],
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("facet", models.TextField()),
                ("answers", models.PositiveIntegerField()),
                ("judged", models.PositiveIntegerField()),
                ("agreed", models.PositiveIntegerField()),
                ("taken_back", models.PositiveIntegerField()),
                ("score_from", models.FloatField()),
                ("score_to", models.FloatField()),
                ("low", models.FloatField()),
                ("high", models.FloatField()),
                ("words", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("project", to("projects.project")),
                ("worker", to("profiles.worker")),
            ],
            options={"indexes": [models.Index(fields=["worker", "id"], name="change_of_worker")]},
        ),
        migrations.RunSQL([EXISTING], migrations.RunSQL.noop),
        migrations.AlterField("outcome", "requester", to("accounts.requester", db_constraint=False)),
        migrations.AlterField("outcome", "kind", models.CharField(choices=KINDS, max_length=9)),
        check("outcome_kind", models.Q(kind__in=[kind for kind, _ in KINDS])),
        check(
            "outcome_score",
            models.Q(kind__in=["answer", "skip"], score=None)
            | (~models.Q(kind__in=["answer", "skip"]) & models.Q(score__isnull=False, score__gte=0, score__lte=1)),
        ),
        check("outcome_weight", models.Q(weight__gte=0, weight__lte=1)),
        check("outcome_easiness", models.Q(easiness=None) | models.Q(easiness__gte=0, easiness__lte=1)),
        check("outcome_took", models.Q(took_ms=None) | models.Q(took_ms__gte=0)),
        check(
            "outcome_undo",
            (models.Q(kind="undo", undoes__isnull=False) & ~models.Q(reason=""))
            | (~models.Q(kind="undo") & models.Q(undoes=None, reason="")),
        ),
        migrations.AddConstraint(
            "outcome",
            models.UniqueConstraint(
                fields=["assignment_id", "kind", "round"],
                condition=models.Q(assignment_id__isnull=False) & ~models.Q(kind="undo"),
                name="outcome_once",
            ),
        ),
        migrations.AddConstraint(
            "outcome",
            models.UniqueConstraint(
                fields=["undoes"], condition=models.Q(undoes__isnull=False), name="outcome_undone_once"
            ),
        ),
        migrations.AddIndex("outcome", models.Index(fields=["worker", "batch_id", "id"], name="outcome_in_batch")),
        migrations.RunSQL([GUARDS, VIEWS], UNDO),
    ]

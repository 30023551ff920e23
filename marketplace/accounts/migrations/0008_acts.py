"""The audit log: rows that are only added, by one function, and sealed by a chain of hashes at their commit (R36)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

COLUMNS = """
ALTER TABLE accounts_act ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
INSERT INTO accounts_acthead (id, seq, hash) VALUES (1, 0, sha256('touchstone'));
ALTER TABLE accounts_act SET (vacuum_truncate = off, toast.vacuum_truncate = off);
ALTER TABLE accounts_actseal SET (vacuum_truncate = off, toast.vacuum_truncate = off);
ALTER TABLE accounts_acthead SET (vacuum_truncate = off, toast.vacuum_truncate = off);
ALTER TABLE accounts_actanchor SET (vacuum_truncate = off, toast.vacuum_truncate = off);
ALTER TABLE accounts_acthead ADD CONSTRAINT one_head CHECK (id = 1);
ALTER TABLE accounts_actseal ADD CONSTRAINT act_seal_sizes CHECK (length(leaf) = 32 AND length(hash) = 32);

-- Facts in the form of ids, words of the program, numbers and times: no address and no sentence of a person fits in.
CREATE FUNCTION accounts_plain_facts(p_facts jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_facts IS NULL THEN true WHEN jsonb_typeof(p_facts) <> 'object' THEN false
    ELSE length(p_facts::text) <= 8192 AND NOT EXISTS (
        SELECT 1 FROM jsonb_each(p_facts) AS pairs (name, cell)
         CROSS JOIN LATERAL jsonb_array_elements(
             CASE jsonb_typeof(pairs.cell) WHEN 'array' THEN pairs.cell ELSE jsonb_build_array(pairs.cell) END)
             AS leaves (leaf)
         WHERE pairs.name !~ '^[a-z0-9_]{1,40}$' OR jsonb_typeof(leaf) IN ('object', 'array')
            OR jsonb_typeof(leaf) = 'string' AND (leaf #>> '{}') !~ '^[A-Za-z0-9_.:+-]{0,80}$') END;

ALTER TABLE accounts_act
    ADD CONSTRAINT act_name CHECK (act ~ '^[a-z_]{1,20}[.][a-z_]{1,40}$'),
    ADD CONSTRAINT act_via CHECK (via ~ '^[a-z][a-z-]{0,29}$'),
    ADD CONSTRAINT act_subject CHECK (subject ~ '^[a-z_]{1,40}$' AND subject_id ~ '^[A-Za-z0-9_.:-]{1,100}$'),
    ADD CONSTRAINT act_why CHECK (why ~ '^[A-Za-z0-9_.:-]{0,100}$'),
    ADD CONSTRAINT act_request CHECK (request_id ~ '^[A-Za-z0-9_.:-]{1,100}$'),
    ADD CONSTRAINT act_facts CHECK (accounts_plain_facts(before) AND accounts_plain_facts(after));
"""

SEALS = """
-- What a row says, as one hash.
CREATE FUNCTION accounts_act_leaf(p_id bigint, p_act text, p_actor bigint, p_via text, p_subject text, p_subject_id text,
                                  p_why text, p_before jsonb, p_after jsonb, p_request_id text, p_made_at timestamptz)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(
    1, p_id, p_act, p_actor, p_via, p_subject, p_subject_id, p_why, p_before::text, p_after::text, p_request_id,
    (extract(epoch FROM p_made_at) * 1000000)::bigint)::text, 'UTF8'));

-- The only way in. Who asks for it may be wrong about what was done, but not about when, nor in whose transaction.
CREATE FUNCTION accounts_record(p_act text, p_actor bigint, p_via text, p_subject text, p_subject_id text, p_why text,
                                p_before jsonb, p_after jsonb, p_request_id text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO accounts_act (act, actor_id, via, subject, subject_id, why, before, after, request_id, made_at)
    VALUES (p_act, p_actor, p_via, p_subject, p_subject_id, p_why, p_before, p_after,
            coalesce(nullif(p_request_id, ''), 'tx-' || pg_current_xact_id()::text), market_now())
    RETURNING id
$$;
REVOKE ALL ON FUNCTION accounts_record(text, bigint, text, text, text, text, jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_record(text, bigint, text, text, text, text, jsonb, jsonb, text) TO touchstone_runtime;

CREATE FUNCTION accounts_act_own() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xid := pg_current_xact_id();
    NEW.made_at := public.market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER act_own BEFORE INSERT ON accounts_act FOR EACH ROW EXECUTE FUNCTION accounts_act_own();

-- At the commit, when no other lock is waited for any more: whoever acts waits here for the one before him, and for
-- nothing behind it, so that the chain can deadlock with nobody. The order of the chain is that of the commits.
CREATE FUNCTION accounts_act_seal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    head accounts_acthead;
    said bytea := accounts_act_leaf(NEW.id, NEW.act, NEW.actor_id, NEW.via, NEW.subject, NEW.subject_id, NEW.why,
                                    NEW.before, NEW.after, NEW.request_id, NEW.made_at);
BEGIN
    SELECT * INTO STRICT head FROM accounts_acthead WHERE id = 1 FOR UPDATE;
    head.seq := head.seq + 1;
    head.hash := sha256(head.hash || said);
    INSERT INTO accounts_actseal (seq, act_id, leaf, hash) VALUES (head.seq, NEW.id, said, head.hash);
    UPDATE accounts_acthead SET seq = head.seq, hash = head.hash WHERE id = 1;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION accounts_act_seal() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER seal AFTER INSERT ON accounts_act DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION accounts_act_seal();

-- The end of the chain as it was on a day, to be kept where nobody here can reach it; made once for each day.
CREATE FUNCTION accounts_anchor_acts() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made integer;
BEGIN
    INSERT INTO accounts_actanchor (day, seq, hash, made_at)
    SELECT (market_now() AT TIME ZONE 'UTC')::date, k.seq, k.hash, market_now() FROM accounts_acthead k
    ON CONFLICT (day) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
REVOKE EXECUTE ON FUNCTION accounts_anchor_acts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_anchor_acts() TO touchstone_runtime;
GRANT SELECT ON accounts_act, accounts_actseal, accounts_acthead TO touchstone_runtime;
GRANT SELECT, UPDATE (sent_at) ON accounts_actanchor TO touchstone_runtime;
"""

GUARDED = {
    "accounts_act": ("act_own", "seal", "closed", "closed_truncate"),
    "accounts_actseal": ("seal_by_trigger", "closed", "closed_truncate"),
    "accounts_acthead": ("head_by_trigger", "closed", "closed_truncate"),
    "accounts_actanchor": ("anchor_kept", "closed_truncate"),
}

GUARDS = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON accounts_act FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON accounts_actseal FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE DELETE ON accounts_acthead FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER seal_by_trigger BEFORE INSERT ON accounts_actseal
    FOR EACH ROW EXECUTE FUNCTION common_by_trigger_only();
CREATE TRIGGER head_by_trigger BEFORE INSERT OR UPDATE ON accounts_acthead
    FOR EACH ROW EXECUTE FUNCTION common_by_trigger_only();
CREATE TRIGGER anchor_kept BEFORE UPDATE OR DELETE ON accounts_actanchor
    FOR EACH ROW EXECUTE FUNCTION common_anchor_kept();
""" + "".join(
    f"CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION append_only();\n"
    for table in GUARDED
)
ALWAYS = "".join(
    f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger};\n" for table, names in GUARDED.items() for trigger in names
)
WANTED = ", ".join(f"('{table}', '{trigger}')" for table, names in GUARDED.items() for trigger in names)

PROMISES = f"""
CREATE VIEW inv_r36_log AS
    SELECT x.seq, x.act_id, 'chain' AS what
      FROM accounts_actseal x LEFT JOIN accounts_actseal before ON before.seq = x.seq - 1
     WHERE x.hash IS DISTINCT FROM sha256(
               CASE WHEN x.seq = 1 THEN sha256('touchstone') ELSE before.hash END || x.leaf)
    UNION ALL
    SELECT x.seq, x.act_id, 'row' FROM accounts_actseal x LEFT JOIN accounts_act a ON a.id = x.act_id
     WHERE a.id IS NULL
        OR x.leaf <> accounts_act_leaf(a.id, a.act, a.actor_id, a.via, a.subject, a.subject_id, a.why, a.before, a.after,
                                       a.request_id, a.made_at)
    UNION ALL
    SELECT NULL, a.id, 'unsealed' FROM accounts_act a
     WHERE a.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
       AND NOT EXISTS (SELECT 1 FROM accounts_actseal x WHERE x.act_id = a.id)
    UNION ALL
    SELECT k.seq, NULL, 'head' FROM accounts_acthead k
     WHERE k.seq <> (SELECT count(*) FROM accounts_actseal)
        OR k.seq > 0 AND k.hash IS DISTINCT FROM (SELECT x.hash FROM accounts_actseal x WHERE x.seq = k.seq)
    UNION ALL
    SELECT n.seq, NULL, 'anchor' FROM accounts_actanchor n
     WHERE n.seq > 0 AND n.hash IS DISTINCT FROM (SELECT x.hash FROM accounts_actseal x WHERE x.seq = n.seq);
COMMENT ON VIEW inv_r36_log IS 'Every row of the audit log says what it said at its commit, in one chain without a gap by every anchor.';

CREATE VIEW inv_r36_log_guards AS
    SELECT wanted.relname, wanted.tgname FROM (VALUES {WANTED}) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r36_log_guards IS 'The audit log is closed: every trigger that guards it exists and is always enabled.';
GRANT SELECT ON inv_r36_log, inv_r36_log_guards TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r36_log, inv_r36_log_guards;
DROP TRIGGER act_own ON accounts_act; DROP TRIGGER seal ON accounts_act;
DROP TRIGGER closed ON accounts_act; DROP TRIGGER closed_truncate ON accounts_act;
DROP FUNCTION accounts_act_own(); DROP FUNCTION accounts_act_seal(); DROP FUNCTION accounts_anchor_acts();
DROP FUNCTION accounts_record(text, bigint, text, text, text, text, jsonb, jsonb, text);
DROP FUNCTION accounts_act_leaf(bigint, text, bigint, text, text, text, text, jsonb, jsonb, text, timestamptz);
ALTER TABLE accounts_act DROP CONSTRAINT act_facts;
DROP FUNCTION accounts_plain_facts(jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_memberships"), ("common", "0005_chains")]
    operations = [
        migrations.CreateModel(
            name="Act",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("act", models.TextField()),
                ("via", models.TextField()),
                ("subject", models.TextField()),
                ("subject_id", models.TextField()),
                ("why", models.TextField(blank=True)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("request_id", models.TextField()),
                ("made_at", models.DateTimeField()),
                (
                    "actor",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["act", "id"], name="act_by_name"),
                    models.Index(fields=["actor", "id"], name="act_by_actor"),
                    models.Index(fields=["subject", "subject_id", "id"], name="act_by_subject"),
                    models.Index(fields=["request_id"], name="act_by_request"),
                    models.Index(fields=["made_at"], name="act_made_at"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ActSeal",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "act",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seal", to="accounts.act"
                    ),
                ),
                ("leaf", models.BinaryField()),
                ("hash", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="ActHead",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("hash", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="ActAnchor",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("hash", models.BinaryField()),
                ("made_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RunSQL([COLUMNS, SEALS, GUARDS, ALWAYS, PROMISES], UNDO),
    ]

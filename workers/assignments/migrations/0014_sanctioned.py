"""No new lease for a person under a limit or a ban that reaches the batch; and a pace for one who is slowed down."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

FLOW = import_module("workers.assignments.migrations.0006_flow")
PROMISES = import_module("workers.assignments.migrations.0007_promises")
LATEST = import_module("workers.assignments.migrations.0011_fewer_statements")

STEP_BEFORE = LATEST.STEP
CLAIM_BEFORE = LATEST.earlier(LATEST.CYCLE, "assignments_claim")
REVIVE_BEFORE = FLOW.before(FLOW.CYCLE, ["assignments_revive_late"])

REACH = """
-- Whether a sanction of this scope reaches a batch of this project and requester; the planner writes it into what asks.
CREATE FUNCTION assignments_reaches(p_scope text, p_scope_id bigint, p_batch bigint, p_project bigint, p_requester bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_scope WHEN 'platform' THEN true WHEN 'requester' THEN p_scope_id = p_requester
                        WHEN 'project' THEN p_scope_id = p_project WHEN 'batch' THEN p_scope_id = p_batch ELSE false END
$$;

-- A sanction begins between two claims of the person: it waits for the one that is under way, and the next waits for it,
-- so that no lease begins that it stops. By its name it runs before the trigger that writes when the sanction was made.
CREATE FUNCTION assignments_hold_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM profiles_lock(w.id) FROM profiles_worker w WHERE w.user_id = NEW.user_id;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_person BEFORE INSERT ON accounts_sanction
    FOR EACH ROW EXECUTE FUNCTION assignments_hold_person();
ALTER TABLE accounts_sanction ENABLE ALWAYS TRIGGER hold_person;

-- What keeps a person from a new lease of a batch, and until when; nothing is the usual answer. A limit or a ban comes
-- first, the one that lasts longest; then `slowed` is false. A pace counts from the beginning of the last lease within
-- its scope, for which the latest hundred of each account are looked at.
CREATE FUNCTION assignments_stopped(p_person bigint, p_batch bigint, p_moment timestamptz,
                                    OUT sanction bigint, OUT until timestamptz, OUT slowed boolean)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    one record;
    goes_on timestamptz;
BEGIN
    slowed := false;
    FOR one IN
        SELECT s.id, s.measure, s.scope, s.scope_id, s.pace_s, s.expires_at
          FROM batches_batch b
          JOIN profiles_worker w ON w.person_id = p_person
          JOIN accounts_sanction s ON s.user_id = w.user_id
         WHERE b.id = p_batch AND s.measure IN ('limit', 'ban', 'slow_down')
           AND s.expires_at > p_moment AND coalesce(s.lifted_at, 'infinity') > p_moment
           AND assignments_reaches(s.scope, s.scope_id, b.id, b.project_id, b.requester_id)
         ORDER BY s.measure = 'slow_down', s.expires_at DESC, s.id
    LOOP
        IF one.measure <> 'slow_down' THEN
            sanction := one.id;
            until := one.expires_at;
            RETURN;
        END IF;
        slowed := true;
        SELECT least(one.expires_at, max(a.leased_at) + make_interval(secs => one.pace_s)) INTO goes_on
          FROM profiles_worker o
          CROSS JOIN LATERAL (SELECT n.leased_at, n.batch_id FROM assignments_assignment n
                               WHERE n.worker_id = o.id ORDER BY n.id DESC LIMIT 100) a
          JOIN batches_batch b ON b.id = a.batch_id
         WHERE o.person_id = p_person
           AND assignments_reaches(one.scope, one.scope_id, b.id, b.project_id, b.requester_id)
        HAVING count(*) > 0;
        IF goes_on > p_moment AND goes_on > coalesce(until, '-infinity') THEN
            sanction := one.id;
            until := goes_on;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION assignments_hold_person(), assignments_stopped(bigint, bigint, timestamptz) FROM PUBLIC;
"""

# For each account of the person one more probe of an index, which asks for a value: so no plan of a session that knew few
# sanctions ever reads all of them.
IN_FORCE = """SELECT s.id FROM accounts_sanction s
                                     WHERE s.user_id = o.user_id AND s.lifted_at IS NULL AND s.expires_at > {moment}
                                       AND s.measure IN ({measures}){more} LIMIT 1"""
STEP = changed(
    STEP_BEFORE,
    ("-- R13, R14, R17, R19, R20: what", "-- R13, R14, R17, R19, R20, R40: what"),
    (
        """EXISTS (SELECT 1 FROM profiles_worker o WHERE o.person_id = w.person_id AND o.id <> w.id) AS linked,""",
        "mine.linked, mine.sanctioned,",
    ),
    (
        "FROM batches_batch b, batches_task t, profiles_worker w\n",
        f"""FROM batches_batch b, batches_task t, profiles_worker w,
               LATERAL (SELECT count(*) > 1 AS linked, bool_or(({
            IN_FORCE.format(
                moment="NEW.leased_at",
                measures="'limit', 'ban'",
                more='''
                                       AND assignments_reaches(s.scope, s.scope_id, b.id, b.project_id, b.requester_id)''',
            )
        }) IS NOT NULL) AS sanctioned
                          FROM profiles_worker o WHERE o.person_id = w.person_id) mine
""",
    ),
    (
        """        IF terms.own THEN
            RAISE EXCEPTION 'nobody works on his own batch' USING errcode = '23514', constraint = 'not_ones_own';
        END IF;
""",
        """        IF terms.own THEN
            RAISE EXCEPTION 'nobody works on his own batch' USING errcode = '23514', constraint = 'not_ones_own';
        END IF;
        -- A return for repair is no new work: what he has begun he may finish.
        IF terms.sanctioned AND NOT again THEN
            RAISE EXCEPTION 'a sanction keeps this person from new work here'
                USING errcode = '23514', constraint = 'sanctioned';
        END IF;
""",
    ),
)

CLAIM = changed(
    CLAIM_BEFORE,
    ("    moment timestamptz := market_now();\n", "    moment timestamptz := market_now();\n    stop record;\n"),
    (
        "           array(SELECT o.id FROM profiles_worker o WHERE o.person_id = w.person_id) AS accounts,\n",
        "           mine.accounts, mine.watched,\n",
    ),
    (
        "      JOIN profiles_worker w ON w.id = p_worker\n",
        f"""      JOIN profiles_worker w ON w.id = p_worker
      CROSS JOIN LATERAL (SELECT array_agg(o.id) AS accounts, bool_or(({
            IN_FORCE.format(moment="moment", measures="'limit', 'ban', 'slow_down'", more="")
        }) IS NOT NULL) AS watched
                            FROM profiles_worker o WHERE o.person_id = w.person_id) mine
""",
    ),
    (
        "     WHERE b.id = p_batch FOR KEY SHARE OF b;\n",
        """     WHERE b.id = p_batch FOR KEY SHARE OF b;
    -- Read after what is in force: a sanction that was just lifted is over at the moment at which a lease begins.
    moment := market_now();
""",
    ),
    (
        "    wanted := greatest(0, p_count - cardinality(held));\n",
        """    wanted := greatest(0, p_count - cardinality(held));
    IF terms.watched AND wanted > 0 THEN
        stop := assignments_stopped(terms.person_id, p_batch, moment);
        IF stop.sanction IS NOT NULL AND cardinality(held) = 0 THEN
            RETURN QUERY SELECT CASE WHEN stop.slowed THEN 'slowed' ELSE 'sanctioned' END, s.public_id, NULL::uuid, stop.until,
                                jsonb_build_object('words', s.words, 'measure', s.measure, 'reason', s.reason,
                                                   'appeal_until', s.appeal_until), NULL::jsonb
                           FROM accounts_sanction s WHERE s.id = stop.sanction;
            RETURN;
        END IF;
        -- Who is slowed down takes one place at a time: a page would outrun its pace.
        wanted := CASE WHEN stop.sanction IS NOT NULL THEN 0 WHEN stop.slowed THEN 1 ELSE wanted END;
    END IF;
""",
    ),
)

# A late answer counts by a new lease, which is as closed to him as any; what he typed is kept as a draft.
REVIVE = changed(
    REVIVE_BEFORE,
    ("    numbers integer[];\n", "    numbers integer[];\n    stop record;\n"),
    (
        "        CONTINUE WHEN cardinality(numbers) = 0\n",
        """        stop := assignments_stopped(who.person, own.batch_id, p_moment);
        CONTINUE WHEN cardinality(numbers) = 0 OR stop.sanction IS NOT NULL AND NOT stop.slowed
""",
    ),
)

UNDO = f"""
DROP TRIGGER hold_person ON accounts_sanction;
{STEP_BEFORE}
{CLAIM_BEFORE}
{REVIVE_BEFORE}
DROP FUNCTION assignments_stopped(bigint, bigint, timestamptz);
DROP FUNCTION assignments_hold_person();
DROP FUNCTION assignments_reaches(text, bigint, bigint, bigint, bigint);
"""

VIEWS = {
    "inv_r40_sanctions": (
        "No lease began under a live limit or ban of its person that reached it.",
        # A return for repair is no new lease; it shows by the answer before it. Accounts that were linked after the lease
        # began were not one person's then.
        """
        SELECT a.id AS assignment_id, s.id AS sanction_id, s.measure, a.leased_at, s.made_at, least(s.expires_at, s.lifted_at) AS until
          FROM accounts_sanction s
          JOIN profiles_worker his ON his.user_id = s.user_id
          JOIN profiles_worker w ON w.person_id = his.person_id
          JOIN assignments_assignment a ON a.worker_id = w.id
          JOIN batches_batch b ON b.id = a.batch_id
         WHERE s.measure IN ('limit', 'ban')
           AND a.leased_at > s.made_at AND a.leased_at < least(s.expires_at, s.lifted_at)
           AND assignments_reaches(s.scope, s.scope_id, b.id, b.project_id, b.requester_id)
           AND NOT EXISTS (SELECT 1 FROM assignments_answer p WHERE p.assignment_id = a.id AND p.submitted_at <= a.leased_at)
           AND (w.id = his.id OR NOT EXISTS (
                SELECT 1 FROM profiles_worker o JOIN profiles_linkedaccount m ON m.worker_id = o.id
                  JOIN profiles_link k ON k.id = m.link_id
                 WHERE o.person_id = w.person_id AND k.made_at >= a.leased_at))
        """,
    ),
    "inv_r40_guards": (
        "Every trigger that guards sanctions exists and is always enabled.",
        """
        SELECT wanted.tgname
          FROM (VALUES ('sanction_step'), ('hold_person'), ('closed'), ('closed_truncate')) AS wanted(tgname)
         WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                            WHERE c.relname = 'accounts_sanction' AND t.tgname = wanted.tgname AND t.tgenabled = 'A')
        """,
    ),
}


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0013_timed"),
        ("accounts", "0004_sanctions"),
        ("profiles", "0005_histories"),
    ]
    operations = [
        migrations.RunSQL([REACH, STEP, CLAIM, REVIVE], UNDO),
        migrations.RunSQL(PROMISES.made(VIEWS), PROMISES.dropped(list(VIEWS))),
    ]

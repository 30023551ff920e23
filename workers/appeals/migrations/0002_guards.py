"""Appeals change by their steps alone, and the database judges each step."""

from django.db import migrations

APPEALS = """
ALTER TABLE appeals_appeal ALTER public_id SET DEFAULT gen_random_uuid(), ALTER state SET DEFAULT 'open';
ALTER TABLE appeals_step ALTER evidence SET DEFAULT '{}';

-- R18: only the one concerned contests, in time, once; whose rejection it is and until when is to be decided are no
-- program's to say.
CREATE FUNCTION appeals_appeal_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    limited record;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        -- Steps change an appeal from within their own trigger.
        IF TG_OP = 'DELETE' OR pg_trigger_depth() < 2 THEN
            RAISE EXCEPTION 'an appeal changes by its steps' USING errcode = '23514', constraint = 'appeal_by_steps';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> 'open' OR NEW.decided_at IS NOT NULL OR NEW.adjudicator_id IS NOT NULL THEN
        RAISE EXCEPTION 'an appeal begins open' USING errcode = '23514', constraint = 'appeal_begins';
    END IF;
    NEW.opened_at := market_now();
    NEW.refer_at := NEW.opened_at + interval '36 hours';
    NEW.decide_by := NEW.opened_at + interval '72 hours';
    IF NEW.rejection_id IS NOT NULL THEN
        SELECT b.requester_id INTO NEW.requester_id
          FROM assignments_assignment a
          JOIN assignments_contest c ON c.assignment_id = a.id AND c.ended_at IS NULL
          JOIN batches_batch b ON b.id = a.batch_id
         WHERE a.id = NEW.rejection_id AND a.worker_id = NEW.worker_id AND a.state = 'rejected';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'only its worker contests a rejection, in time' USING errcode = '23514', constraint = 'appeal_own';
        END IF;
    ELSE
        SELECT s.scope, s.scope_id INTO limited
          FROM accounts_sanction s JOIN profiles_worker o ON o.user_id = s.user_id
          JOIN profiles_worker w ON w.person_id = o.person_id
         WHERE s.id = NEW.sanction_id AND w.id = NEW.worker_id AND s.lifted_at IS NULL AND s.appeal_until > market_now();
        IF NOT FOUND THEN
            RAISE EXCEPTION 'only the one it limits contests a sanction, in time'
                USING errcode = '23514', constraint = 'appeal_own';
        END IF;
        NEW.requester_id := CASE limited.scope
            WHEN 'requester' THEN limited.scope_id
            WHEN 'project' THEN (SELECT p.requester_id FROM projects_project p WHERE p.id = limited.scope_id)
            WHEN 'batch' THEN (SELECT b.requester_id FROM batches_batch b WHERE b.id = limited.scope_id) END;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER appeal_step BEFORE INSERT OR UPDATE OR DELETE ON appeals_appeal
    FOR EACH ROW EXECUTE FUNCTION appeals_appeal_step();

CREATE FUNCTION appeals_appeal_opened() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO appeals_step (appeal_id, kind, made_by_id, reason, made_at)
    SELECT NEW.id, 'opened', w.user_id, NEW.words, NEW.opened_at FROM profiles_worker w WHERE w.id = NEW.worker_id;
    RETURN NULL;
END $$;
CREATE TRIGGER appeal_opened AFTER INSERT ON appeals_appeal FOR EACH ROW EXECUTE FUNCTION appeals_appeal_opened();
"""

STEPS = """
-- The others who did the task of a contested answer, knew of nothing, and whose word has weight: one answer of each person,
-- which says something and has a vote, by somebody who has shown in the project that he can (five judged answers on top of
-- what is assumed of a stranger, Beta(2, 1), with a mean of 0.6), and whom no limit or ban over the batch keeps out or has
-- caught since. What was lifted was never so.
CREATE FUNCTION appeals_others(p_assignment bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT min(o.id) FROM assignments_assignment a
      JOIN batches_batch b ON b.id = a.batch_id
      JOIN profiles_worker w ON w.id = a.worker_id
      JOIN assignments_assignment o ON o.task_id = a.task_id AND o.id <> a.id AND o.state IN ('submitted', 'accepted', 'upheld')
      JOIN profiles_worker p ON p.id = o.worker_id AND p.person_id <> w.person_id
      JOIN reputation_standing s ON s.worker_id = o.worker_id AND s.project_id = b.project_id
     WHERE a.id = p_assignment
       AND s.alpha + s.beta - 3 >= 5 AND s.alpha >= 0.6 * (s.alpha + s.beta)
       AND NOT EXISTS (SELECT 1 FROM assignments_discount d WHERE d.assignment_id = o.id)
       AND (SELECT NOT l.unclear FROM assignments_answer l WHERE l.assignment_id = o.id ORDER BY l.revision DESC LIMIT 1)
       AND NOT EXISTS (SELECT 1 FROM profiles_worker q JOIN accounts_sanction x ON x.user_id = q.user_id
                        WHERE q.person_id = p.person_id AND x.measure IN ('limit', 'ban') AND x.lifted_at IS NULL
                          AND (x.expires_at > market_now() OR x.made_at >= o.submitted_at)
                          AND (x.scope, coalesce(x.scope_id, 0)) IN (('platform', 0), ('requester', b.requester_id),
                                                                     ('project', b.project_id), ('batch', b.id)))
     GROUP BY p.person_id ORDER BY 1;
$$;

-- Whether somebody has no part in the matter: no member of the requester, no account of the worker's person, and not who
-- rejected, let the rejection take effect, or limited, in the first place.
CREATE FUNCTION appeals_impartial(p_appeal bigint, p_user bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT NOT EXISTS (SELECT 1 FROM accounts_member m WHERE m.requester_id = a.requester_id AND m.user_id = p_user)
       AND NOT EXISTS (SELECT 1 FROM profiles_worker o WHERE o.user_id = p_user AND o.person_id = w.person_id)
       AND NOT EXISTS (SELECT 1 FROM assignments_rejection r WHERE r.assignment_id = a.rejection_id AND r.made_by_id = p_user)
       AND NOT EXISTS (SELECT 1 FROM assignments_rejection r JOIN results_rejectionreview v ON v.id = r.review_id
                        WHERE r.assignment_id = a.rejection_id AND v.decided_by_id = p_user)
       AND NOT EXISTS (SELECT 1 FROM accounts_sanction s WHERE s.id = a.sanction_id AND s.made_by_id = p_user)
      FROM appeals_appeal a JOIN profiles_worker w ON w.id = a.worker_id WHERE a.id = p_appeal;
$$;

CREATE FUNCTION appeals_step_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    of appeals_appeal;
    staff boolean := coalesce((SELECT u.is_staff FROM accounts_user u WHERE u.id = NEW.made_by_id), false);
BEGIN
    SELECT * INTO of FROM appeals_appeal a WHERE a.id = NEW.appeal_id FOR NO KEY UPDATE;
    NEW.made_at := market_now();
    IF NEW.kind = 'opened' THEN
        IF pg_trigger_depth() < 2 THEN
            RAISE EXCEPTION 'an appeal is opened once' USING errcode = '23514', constraint = 'appeal_begins';
        END IF;
        RETURN NEW;
    END IF;
    IF of.state IS DISTINCT FROM 'open' THEN
        RAISE EXCEPTION 'the appeal is over' USING errcode = '23514', constraint = 'appeal_over';
    END IF;
    IF NEW.kind = 'statement' THEN
        IF NOT EXISTS (SELECT 1 FROM accounts_member m WHERE m.requester_id = of.requester_id AND m.user_id = NEW.made_by_id) THEN
            RAISE EXCEPTION 'the requester alone makes a statement' USING errcode = '23514', constraint = 'statement_by_requester';
        END IF;
        IF (SELECT count(*) FROM appeals_step e WHERE e.appeal_id = of.id AND e.kind = 'statement') >= 5 THEN
            RAISE EXCEPTION 'five statements have been made' USING errcode = '23514', constraint = 'statements_max';
        END IF;
    ELSIF NEW.kind = 'referred' THEN
        IF of.method <> 'rework' OR NEW.made_by_id IS NOT NULL AND NOT staff THEN
            RAISE EXCEPTION 'this appeal is not referred so' USING errcode = '23514', constraint = 'appeal_referred';
        END IF;
    ELSIF NEW.kind = 'named' THEN
        IF NOT staff THEN
            RAISE EXCEPTION 'staff name who judges' USING errcode = '23514', constraint = 'appeal_named_by_staff';
        END IF;
        IF NOT appeals_impartial(of.id, NEW.adjudicator_id) THEN
            RAISE EXCEPTION 'nobody judges in his own matter' USING errcode = '23514', constraint = 'appeal_impartial';
        END IF;
    ELSIF NEW.kind = 'lapsed' THEN
        IF NEW.made_by_id IS NOT NULL OR of.decide_by > NEW.made_at THEN
            RAISE EXCEPTION 'there still is time to decide' USING errcode = '23514', constraint = 'appeal_in_time';
        END IF;
    ELSE
        IF NEW.kind = 'refused' AND of.decide_by <= NEW.made_at THEN
            RAISE EXCEPTION 'after its time an appeal is won' USING errcode = '23514', constraint = 'appeal_in_time';
        END IF;
        IF NEW.made_by_id IS NULL THEN
            IF of.method <> 'rework' OR (SELECT count(*) FROM appeals_others(of.rejection_id)) < 3 THEN
                RAISE EXCEPTION 'others have not done the task' USING errcode = '23514', constraint = 'appeal_reworked';
            END IF;
        ELSIF NEW.kind = 'upheld' AND EXISTS (SELECT 1 FROM assignments_uphold u WHERE u.assignment_id = of.rejection_id
                                                 AND u.made_by_id = NEW.made_by_id) THEN
            -- Whoever has undone the rejection for any reason has ended the appeal with it; partial he is to nobody's harm.
            RETURN NEW;
        ELSIF NOT staff AND of.adjudicator_id IS DISTINCT FROM NEW.made_by_id THEN
            RAISE EXCEPTION 'this person does not judge' USING errcode = '23514', constraint = 'appeal_judge';
        ELSIF NOT appeals_impartial(of.id, NEW.made_by_id) THEN
            RAISE EXCEPTION 'nobody judges in his own matter' USING errcode = '23514', constraint = 'appeal_impartial';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER step_step BEFORE INSERT ON appeals_step FOR EACH ROW EXECUTE FUNCTION appeals_step_step();

CREATE FUNCTION appeals_step_applied() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NEW.kind IN ('referred', 'named') THEN
        UPDATE appeals_appeal SET method = 'adjudicator', adjudicator_id = coalesce(NEW.adjudicator_id, adjudicator_id)
         WHERE id = NEW.appeal_id;
    ELSIF NEW.kind IN ('upheld', 'refused', 'lapsed') THEN
        UPDATE appeals_appeal SET state = NEW.kind, decided_at = NEW.made_at WHERE id = NEW.appeal_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER step_applied AFTER INSERT ON appeals_step FOR EACH ROW EXECUTE FUNCTION appeals_step_applied();
"""

AGREE = """
-- What an appeal decided is done in the same transaction: the answer is paid, the sanction lifted, the contest over. And
-- whatever undoes a rejection ends the appeal against it, so that nobody refuses later what is paid.
CREATE FUNCTION appeals_disagreeing(p_appeal bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT coalesce((SELECT (p.state IN ('upheld', 'lapsed') AND (
                         p.rejection_id IS NOT NULL AND a.state <> 'upheld' OR p.sanction_id IS NOT NULL AND s.lifted_at IS NULL))
            OR p.state = 'open' AND coalesce(a.state = 'upheld', false)
            OR p.rejection_id IS NOT NULL AND (p.state = 'open') <> coalesce(c.ended_at IS NULL, false)
      FROM appeals_appeal p
      LEFT JOIN assignments_assignment a ON a.id = p.rejection_id
      LEFT JOIN assignments_contest c ON c.assignment_id = p.rejection_id
      LEFT JOIN accounts_sanction s ON s.id = p.sanction_id
     WHERE p.id = p_appeal), true);
$$;
CREATE FUNCTION appeals_agree() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF TG_TABLE_NAME = 'assignments_uphold' AND NOT EXISTS (SELECT 1 FROM appeals_appeal p
            WHERE p.rejection_id = (to_jsonb(NEW) ->> 'assignment_id')::bigint) THEN
        RETURN NULL;
    END IF;
    IF appeals_disagreeing(CASE TG_TABLE_NAME WHEN 'appeals_step' THEN (to_jsonb(NEW) ->> 'appeal_id')::bigint
                           ELSE (SELECT p.id FROM appeals_appeal p
                                  WHERE p.rejection_id = (to_jsonb(NEW) ->> 'assignment_id')::bigint) END) THEN
        RAISE EXCEPTION 'what an appeal decides is done with it' USING errcode = '23514', constraint = 'appeal_agrees';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER appeal_agrees AFTER INSERT ON appeals_step
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION appeals_agree();
CREATE CONSTRAINT TRIGGER contest_agrees AFTER INSERT OR UPDATE ON assignments_contest
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION appeals_agree();
CREATE CONSTRAINT TRIGGER uphold_agrees AFTER INSERT ON assignments_uphold
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION appeals_agree();
"""

GUARDS = [
    ("appeals_appeal", "appeal_step"),
    ("appeals_appeal", "appeal_opened"),
    ("appeals_appeal", "closed_truncate"),
    ("appeals_step", "step_step"),
    ("appeals_step", "step_applied"),
    ("appeals_step", "appeal_agrees"),
    ("appeals_step", "closed"),
    ("appeals_step", "closed_truncate"),
    ("assignments_contest", "contest_agrees"),
    ("assignments_uphold", "uphold_agrees"),
]

RIGHTS = f"""
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON appeals_step FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON appeals_step FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON appeals_appeal FOR EACH STATEMENT EXECUTE FUNCTION append_only();
{"".join(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger};" for table, trigger in GUARDS)}
REVOKE EXECUTE ON FUNCTION appeals_appeal_step(), appeals_appeal_opened(), appeals_step_step(), appeals_step_applied(),
    appeals_agree(), appeals_disagreeing(bigint), appeals_others(bigint), appeals_impartial(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION appeals_others(bigint), appeals_impartial(bigint, bigint) TO touchstone_runtime;
GRANT SELECT, INSERT ON appeals_appeal, appeals_step TO touchstone_runtime;
-- To lock an appeal, which no role but its triggers' owner ever changes.
GRANT UPDATE (public_id) ON appeals_appeal TO touchstone_runtime;

CREATE VIEW inv_r42_appeals AS
    SELECT p.id AS appeal_id, p.state, p.decide_by, appeals_disagreeing(p.id) AS disagrees FROM appeals_appeal p
     WHERE p.state = 'open' AND p.decide_by < market_now() - interval '5 minutes' OR appeals_disagreeing(p.id);
COMMENT ON VIEW inv_r42_appeals IS 'Every appeal is decided in its time, or soon after it for the worker, and what it decided is done.';
CREATE VIEW inv_r42_reputation AS
    SELECT o.id AS outcome_id, o.worker_id, o.assignment_id FROM reputation_outcome o
      JOIN assignments_contest c ON c.assignment_id = o.assignment_id AND c.ended_at IS NULL
     WHERE o.kind = 'review' AND o.score < 0.5
       AND NOT EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = o.id);
COMMENT ON VIEW inv_r42_reputation IS 'A rejection that is being contested counts against nobody.';
GRANT SELECT ON inv_r42_reputation TO touchstone_runtime;
CREATE VIEW inv_r42_appeal_guards AS
    SELECT wanted.relname, wanted.tgname
      FROM (VALUES {", ".join(f"('{table}', '{trigger}')" for table, trigger in GUARDS)}) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r42_appeal_guards IS 'Every trigger that guards appeals exists and is always enabled.';
GRANT SELECT ON inv_r42_appeals, inv_r42_appeal_guards TO touchstone_runtime;
GRANT EXECUTE ON FUNCTION appeals_disagreeing(bigint) TO touchstone_runtime;
"""

UNDO = f"""
DROP VIEW inv_r42_appeals, inv_r42_appeal_guards, inv_r42_reputation;
{"".join(f"DROP TRIGGER {trigger} ON {table};" for table, trigger in GUARDS)}
DROP FUNCTION appeals_appeal_step(); DROP FUNCTION appeals_appeal_opened(); DROP FUNCTION appeals_step_step();
DROP FUNCTION appeals_step_applied(); DROP FUNCTION appeals_agree(); DROP FUNCTION appeals_disagreeing(bigint);
DROP FUNCTION appeals_impartial(bigint, bigint); DROP FUNCTION appeals_others(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("appeals", "0001_appeals"),
        ("batches", "0009_money_terms"),
        ("common", "0001_foundations"),
        ("reputation", "0003_skills"),
        ("results", "0005_rejections"),
    ]
    operations = [migrations.RunSQL([APPEALS, STEPS, AGREE, RIGHTS], UNDO)]

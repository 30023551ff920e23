"""What was granted, listed and linked stays on record; and accounts become one person by a link only."""

from django.db import migrations

RIGHTS = """
GRANT UPDATE (device) ON profiles_worker TO touchstone_runtime;
-- The description may be put better; and the right to do so is what lets the row be locked.
GRANT SELECT, INSERT, UPDATE (description) ON profiles_skill, profiles_workerlist TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_by_id, revoked_reason) ON profiles_grant TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (removed_at, removed_by_id) ON profiles_listmember TO touchstone_runtime;
GRANT SELECT ON profiles_link, profiles_linkedaccount TO touchstone_runtime;
"""

HISTORIES = """
CREATE FUNCTION profiles_grant_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.granted_at := market_now();
        IF NEW.revoked_at IS NOT NULL OR NEW.expires_at <= NEW.granted_at THEN
            RAISE EXCEPTION 'a grant begins current' USING errcode = '23514', constraint = 'grant_step';
        END IF;
        IF (NEW.value IS NULL) IS DISTINCT FROM
           (SELECT s.kind = 'qualification' FROM profiles_skill s WHERE s.id = NEW.skill_id) THEN
            RAISE EXCEPTION 'a skill is held at a value, a qualification without one'
                USING errcode = '23514', constraint = 'grant_value_of_kind';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
       OR (NEW.id, NEW.public_id, NEW.skill_id, NEW.worker_id, NEW.value, NEW.evidence, NEW.granted_by_id, NEW.granted_at,
           NEW.expires_at) IS DISTINCT FROM
          (OLD.id, OLD.public_id, OLD.skill_id, OLD.worker_id, OLD.value, OLD.evidence, OLD.granted_by_id, OLD.granted_at,
           OLD.expires_at) THEN
        RAISE EXCEPTION 'a grant is revoked once and otherwise fixed' USING errcode = '23514', constraint = 'grant_step';
    END IF;
    NEW.revoked_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER grant_step BEFORE INSERT OR UPDATE ON profiles_grant
    FOR EACH ROW EXECUTE FUNCTION profiles_grant_step();

CREATE FUNCTION profiles_listmember_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.added_at := market_now();
        IF NEW.removed_at IS NOT NULL THEN
            RAISE EXCEPTION 'a membership begins current' USING errcode = '23514', constraint = 'list_member_step';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
       OR (NEW.id, NEW.list_id, NEW.worker_id, NEW.added_by_id, NEW.added_at) IS DISTINCT FROM
          (OLD.id, OLD.list_id, OLD.worker_id, OLD.added_by_id, OLD.added_at) THEN
        RAISE EXCEPTION 'a membership ends once and is otherwise fixed'
            USING errcode = '23514', constraint = 'list_member_step';
    END IF;
    NEW.removed_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER list_member_step BEFORE INSERT OR UPDATE ON profiles_listmember
    FOR EACH ROW EXECUTE FUNCTION profiles_listmember_step();

CREATE FUNCTION profiles_link_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
       OR (NEW.id, NEW.public_id, NEW.reason, NEW.made_by_id, NEW.made_at) IS DISTINCT FROM
          (OLD.id, OLD.public_id, OLD.reason, OLD.made_by_id, OLD.made_at) THEN
        RAISE EXCEPTION 'a link ends once and is otherwise fixed' USING errcode = '23514', constraint = 'link_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER link_step BEFORE UPDATE ON profiles_link FOR EACH ROW EXECUTE FUNCTION profiles_link_step();
CREATE TRIGGER linked_final BEFORE UPDATE ON profiles_linkedaccount FOR EACH ROW EXECUTE FUNCTION append_only();
ALTER TABLE profiles_grant ENABLE ALWAYS TRIGGER grant_step;
ALTER TABLE profiles_listmember ENABLE ALWAYS TRIGGER list_member_step;
ALTER TABLE profiles_link ENABLE ALWAYS TRIGGER link_step;
ALTER TABLE profiles_linkedaccount ENABLE ALWAYS TRIGGER linked_final;
"""

KEPT = ("profiles_grant", "profiles_listmember", "profiles_link", "profiles_linkedaccount")
CLOSED = "".join(
    f"""
CREATE TRIGGER kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER kept;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER kept_truncate;
"""
    for table in KEPT
)

PERSONS = """
-- Accounts that hang together by links that were not ended are one person's; the oldest of them stands for him.
CREATE FUNCTION profiles_persons(p_accounts bigint[]) RETURNS TABLE (account bigint, person bigint)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE reach AS (
        SELECT id AS account, id AS other FROM unnest(p_accounts) id
        UNION
        SELECT r.account, b.worker_id FROM reach r
          JOIN profiles_linkedaccount a ON a.worker_id = r.other
          JOIN profiles_link l ON l.id = a.link_id AND l.ended_at IS NULL
          JOIN profiles_linkedaccount b ON b.link_id = a.link_id)
    SELECT account, min(other) FROM reach GROUP BY account
$$;

CREATE FUNCTION profiles_person_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM after a JOIN before b ON b.id = a.id AND b.person_id <> a.person_id)
       AND EXISTS (SELECT 1 FROM after a
                     JOIN profiles_persons(array(SELECT id FROM after)) p ON p.account = a.id
                    WHERE a.person_id <> p.person) THEN
        RAISE EXCEPTION 'accounts are one person''s by a link only, and the oldest stands for him'
            USING errcode = '23514', constraint = 'person_by_link';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER person_kept AFTER UPDATE ON profiles_worker REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION profiles_person_kept();

CREATE FUNCTION profiles_person_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an account begins as a person of its own' USING errcode = '23514', constraint = 'person_by_link';
END $$;
CREATE TRIGGER person_begins AFTER INSERT ON profiles_worker FOR EACH ROW WHEN (NEW.person_id <> NEW.id)
    EXECUTE FUNCTION profiles_person_begins();
ALTER TABLE profiles_worker ENABLE ALWAYS TRIGGER person_kept;
ALTER TABLE profiles_worker ENABLE ALWAYS TRIGGER person_begins;

-- Let the persons of these accounts follow the links. One such change at a time; and in the order in which a worker's own
-- requests lock (`profiles_lock`): first all who do not stand for a person, then those who do.
CREATE FUNCTION profiles_hold(p_workers bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    group_ids bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('profiles_link', 0));
    SELECT array_agg(w.id) INTO group_ids FROM profiles_worker w
     WHERE w.person_id IN (SELECT m.person_id FROM profiles_worker m WHERE m.id = ANY (p_workers));
    PERFORM 1 FROM profiles_worker WHERE id = ANY (group_ids) AND person_id <> id ORDER BY id FOR UPDATE;
    PERFORM 1 FROM profiles_worker WHERE id = ANY (group_ids) AND person_id = id ORDER BY id FOR UPDATE;
    RETURN group_ids;
END $$;

CREATE FUNCTION profiles_regroup(p_group bigint[]) RETURNS void LANGUAGE sql AS $$
    UPDATE profiles_worker w SET person_id = p.person FROM profiles_persons(p_group) p
     WHERE w.id = p.account AND w.person_id <> p.person
$$;

-- Staff found that these accounts are one person's. Returns the link.
CREATE FUNCTION profiles_link(p_workers bigint[], p_reason text, p_by bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    group_ids bigint[] := profiles_hold(p_workers);
    made bigint;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM accounts_user WHERE id = p_by AND is_staff AND is_active) THEN
        RAISE EXCEPTION 'only staff links accounts' USING errcode = '23514', constraint = 'link_by_staff';
    END IF;
    IF (SELECT count(DISTINCT id) FROM unnest(p_workers) id) < 2 THEN
        RAISE EXCEPTION 'a link names two accounts or more' USING errcode = '23514', constraint = 'link_of_two';
    END IF;
    INSERT INTO profiles_link (public_id, reason, made_by_id, made_at, ended_reason)
    VALUES (gen_random_uuid(), p_reason, p_by, market_now(), '') RETURNING id INTO made;
    INSERT INTO profiles_linkedaccount (link_id, worker_id) SELECT DISTINCT made, id FROM unnest(p_workers) id;
    PERFORM profiles_regroup(group_ids);
    RETURN made;
END $$;

-- Staff found that a link was wrong. Returns whether it was still in force.
CREATE FUNCTION profiles_unlink(p_link bigint, p_reason text, p_by bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    group_ids bigint[] := profiles_hold(array(SELECT worker_id FROM profiles_linkedaccount WHERE link_id = p_link));
BEGIN
    IF NOT EXISTS (SELECT 1 FROM accounts_user WHERE id = p_by AND is_staff AND is_active) THEN
        RAISE EXCEPTION 'only staff links accounts' USING errcode = '23514', constraint = 'link_by_staff';
    END IF;
    UPDATE profiles_link SET ended_at = market_now(), ended_by_id = p_by, ended_reason = p_reason
     WHERE id = p_link AND ended_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM profiles_regroup(group_ids);
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION profiles_hold(bigint[]), profiles_regroup(bigint[]), profiles_link(bigint[], text, bigint),
    profiles_unlink(bigint, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION profiles_link(bigint[], text, bigint), profiles_unlink(bigint, text, bigint)
    TO touchstone_runtime;

CREATE VIEW inv_r13_person AS
    SELECT w.id AS worker_id, w.person_id, coalesce(p.person, w.id) AS person_by_links FROM profiles_worker w
      LEFT JOIN profiles_persons(array(SELECT worker_id FROM profiles_linkedaccount)) p ON p.account = w.id
     WHERE w.person_id <> coalesce(p.person, w.id);
COMMENT ON VIEW inv_r13_person IS 'Accounts are one person''s exactly where a link that was not ended says so.';
GRANT SELECT ON inv_r13_person TO touchstone_runtime;
"""

UNDO = (
    """
DROP VIEW inv_r13_person;
DROP FUNCTION profiles_unlink(bigint, text, bigint);
DROP FUNCTION profiles_link(bigint[], text, bigint);
DROP FUNCTION profiles_regroup(bigint[]);
DROP FUNCTION profiles_hold(bigint[]);
DROP TRIGGER person_begins ON profiles_worker;
DROP TRIGGER person_kept ON profiles_worker;
DROP FUNCTION profiles_person_begins();
DROP FUNCTION profiles_person_kept();
UPDATE profiles_worker SET person_id = id WHERE person_id <> id;
SET CONSTRAINTS ALL IMMEDIATE;
DROP FUNCTION profiles_persons(bigint[]);
"""
    + "".join(f"DROP TRIGGER kept ON {table}; DROP TRIGGER kept_truncate ON {table};\n" for table in KEPT)
    + """
DROP TRIGGER linked_final ON profiles_linkedaccount;
DROP TRIGGER link_step ON profiles_link;
DROP TRIGGER list_member_step ON profiles_listmember;
DROP TRIGGER grant_step ON profiles_grant;
DROP FUNCTION profiles_link_step();
DROP FUNCTION profiles_listmember_step();
DROP FUNCTION profiles_grant_step();
REVOKE ALL ON profiles_link, profiles_linkedaccount, profiles_grant, profiles_listmember, profiles_skill,
    profiles_workerlist FROM touchstone_runtime;
REVOKE UPDATE (device) ON profiles_worker FROM touchstone_runtime;
"""
)


class Migration(migrations.Migration):
    dependencies = [("profiles", "0004_skills")]
    operations = [migrations.RunSQL([RIGHTS, HISTORIES, CLOSED, PERSONS], UNDO)]

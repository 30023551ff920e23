"""A published version never changes and is never deleted; the database refuses, whoever asks."""

from django.db import migrations

GUARD = """
CREATE FUNCTION projects_version_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'version % of project % is published', OLD.number, OLD.project_id
            USING errcode = '23514', constraint = 'version_is_final';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.project_id, NEW.number) IS DISTINCT FROM (OLD.project_id, OLD.number) THEN
        RAISE EXCEPTION 'a version keeps its number' USING errcode = '23514', constraint = 'version_keeps_number';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER version_is_final BEFORE UPDATE OR DELETE ON projects_version
    FOR EACH ROW EXECUTE FUNCTION projects_version_final();
CREATE TRIGGER version_no_truncate BEFORE TRUNCATE ON projects_version
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE projects_version ENABLE ALWAYS TRIGGER version_is_final;
ALTER TABLE projects_version ENABLE ALWAYS TRIGGER version_no_truncate;
GRANT SELECT, INSERT, UPDATE (name) ON projects_project TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (interface, instructions, published_at) ON projects_version TO touchstone_runtime;
"""
UNGUARD = """
DROP TRIGGER version_is_final ON projects_version;
DROP TRIGGER version_no_truncate ON projects_version;
DROP FUNCTION projects_version_final();
"""


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_projects"), ("common", "0001_foundations")]
    operations = [migrations.RunSQL([GUARD], UNGUARD)]

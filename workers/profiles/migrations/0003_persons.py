"""Which account stands for a person: several accounts that were found to be one person's count as one worker (R13)."""

import django.db.models.deletion
from django.db import migrations, models

PERSON = """
UPDATE profiles_worker SET person_id = id;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE profiles_worker ALTER person_id SET NOT NULL;

CREATE FUNCTION profiles_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.person_id := coalesce(NEW.person_id, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER person BEFORE INSERT ON profiles_worker FOR EACH ROW EXECUTE FUNCTION profiles_person();
ALTER TABLE profiles_worker ENABLE ALWAYS TRIGGER person;

-- The first lock of whatever a worker does: his own row, then the row of the account that stands for his person, so that
-- all accounts of a person act one after the other. Whoever links accounts locks the others first and those last, too.
CREATE FUNCTION profiles_lock(p_worker bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    person bigint;
BEGIN
    SELECT w.person_id INTO STRICT person FROM profiles_worker w WHERE w.id = p_worker FOR NO KEY UPDATE;
    IF person <> p_worker THEN
        PERFORM 1 FROM profiles_worker w WHERE w.id = person FOR NO KEY UPDATE;
    END IF;
    RETURN person;
END $$;
"""

UNDO = """
DROP FUNCTION profiles_lock(bigint);
DROP TRIGGER person ON profiles_worker;
DROP FUNCTION profiles_person();
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0002_rights")]
    operations = [
        migrations.AddField(
            "worker",
            "person",
            models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="accounts",
                to="profiles.worker",
            ),
        ),
        migrations.RunSQL(PERSON, UNDO),
    ]

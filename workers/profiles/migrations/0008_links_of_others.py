"""Nobody links his own accounts, or ends the link that holds them (R41)."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

PERSONS = import_module("workers.profiles.migrations.0005_histories").PERSONS

OWN = """
    IF EXISTS (SELECT 1 FROM profiles_worker w WHERE w.id = ANY ({workers}) AND accounts_same_person(w.user_id, p_by)) THEN
        RAISE EXCEPTION 'nobody links his own accounts, or ends their link'
            USING errcode = '23514', constraint = 'link_not_ones_own';
    END IF;"""
STAFF = "constraint = 'link_by_staff';\n    END IF;"


def before(name: str) -> str:
    """The function as it was made."""
    start = PERSONS.index(f"CREATE FUNCTION {name}(")
    end = PERSONS.index("END $$;", start) + len("END $$;")
    return str(PERSONS[start:end]).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def since(name: str, workers: str) -> str:
    return changed(before(name), (STAFF, STAFF + OWN.format(workers=workers)))


OF_LINK = "array(SELECT l.worker_id FROM profiles_linkedaccount l WHERE l.link_id = p_link)"
SINCE = [since("profiles_link", "p_workers"), since("profiles_unlink", OF_LINK)]
BEFORE = [before("profiles_link"), before("profiles_unlink")]


class Migration(migrations.Migration):
    dependencies = [("profiles", "0007_same_person")]

    operations = [migrations.RunSQL(SINCE, BEFORE)]

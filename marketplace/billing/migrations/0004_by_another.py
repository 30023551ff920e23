"""Nobody keeps the books of an organisation of his own, whatever he is of the staff."""

from django.db import migrations

# Who does it, and whose books they are, by table.
GUARDED = {
    "deposit": ("true", "NEW.requester_id", "NEW.recorded_by_id"),
    "depositreversal": (
        "true",
        "(SELECT b.requester_id FROM billing_deposit b WHERE b.id = NEW.deposit_id)",
        "NEW.reversed_by_id",
    ),
    # A bill is what the books say, and members may ask for it; to take one back is for others to decide.
    "invoice": ("NEW.corrects_id IS NOT NULL", "NEW.requester_id", "NEW.issued_by_id"),
}
GUARDS = "".join(
    f"""
-- A row that names nobody was told by a channel itself.
CREATE FUNCTION billing_{table}_by_another() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF accounts_has_part({requester}, {by}) THEN
        RAISE EXCEPTION 'nobody keeps the books of an organisation of his own'
            USING errcode = '23514', constraint = '{table}_by_another';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION billing_{table}_by_another() FROM PUBLIC;
CREATE TRIGGER by_another BEFORE INSERT ON billing_{table}
    FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION billing_{table}_by_another();
ALTER TABLE billing_{table} ENABLE ALWAYS TRIGGER by_another;
"""
    for table, (when, requester, by) in GUARDED.items()
)
UNDO = "".join(
    f"DROP TRIGGER by_another ON billing_{table}; DROP FUNCTION billing_{table}_by_another();\n" for table in GUARDED
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_earlier_deposits"), ("accounts", "0011_parts")]
    operations = [migrations.RunSQL([GUARDS], UNDO)]

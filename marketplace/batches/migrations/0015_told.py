"""No step of a batch's life is committed without the event that tells of it (R21)."""

from django.db import migrations

STEPS = {
    "published": ("OLD.state <> NEW.state AND NEW.state = 'published'", "BatchPublished,BatchResumed"),
    "paused": ("OLD.state <> NEW.state AND NEW.state = 'paused'", "BatchPaused"),
    "closing": ("OLD.state <> NEW.state AND NEW.state = 'closing'", "BatchClosing"),
    "cancelled": ("OLD.state <> NEW.state AND NEW.state = 'cancelled'", "BatchCancelled"),
    "settled": ("OLD.settled_at IS NULL AND NEW.settled_at IS NOT NULL", "BatchSettled"),
}


class Migration(migrations.Migration):
    dependencies = [("batches", "0014_label_studio"), ("common", "0004_told")]
    operations = [
        migrations.RunSQL(
            f"CREATE CONSTRAINT TRIGGER told_{step} AFTER UPDATE ON batches_batch DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION common_told('batch_id', 'id', '{{{kinds}}}');"
            f"ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER told_{step};",
            f"DROP TRIGGER told_{step} ON batches_batch;",
        )
        for step, (condition, kinds) in STEPS.items()
    ]

"""More terms of money: how the fee is made, what is set aside for disputes and for a top-up; final like the others."""

from importlib import import_module

from django.db import migrations, models

TERMS_BEFORE = import_module("marketplace.batches.migrations.0004_arrival").TERMS
NAMES = (
    "fee_basis_points",
    "fee_minimum_micros",
    "dispute_basis_points",
    "appeal_s",
    "target_hourly_micros",
    "topup_basis_points",
)


def with_more(sql: str) -> str:
    """The trigger that keeps the terms, with the new ones among them."""
    for row in ("NEW", "OLD"):
        last = f"{row}.max_attempts, {row}.head_start_s)"
        assert sql.count(last) == 1
        sql = sql.replace(last, f"{last[:-1]}, {', '.join(f'{row}.{name}' for name in NAMES)})")
    return sql


class Migration(migrations.Migration):
    dependencies = [("batches", "0008_fewer_checks")]
    operations = [
        migrations.AddField("batch", "fee_basis_points", models.PositiveIntegerField(default=0)),
        migrations.AddField("batch", "fee_minimum_micros", models.BigIntegerField(default=0)),
        migrations.AddField("batch", "dispute_basis_points", models.PositiveIntegerField(default=0)),
        migrations.AddField("batch", "appeal_s", models.PositiveIntegerField(default=0)),
        migrations.AddField("batch", "target_hourly_micros", models.BigIntegerField(null=True)),
        migrations.AddField("batch", "topup_basis_points", models.PositiveIntegerField(default=0)),
        migrations.AddConstraint(
            "batch",
            models.CheckConstraint(
                condition=models.Q(fee_basis_points__lte=10_000)
                & models.Q(dispute_basis_points__lte=10_000)
                & models.Q(fee_minimum_micros__gte=0, fee_minimum_micros__lte=10**15),
                name="batch_shares",
            ),
        ),
        migrations.AddConstraint(
            "batch",
            models.CheckConstraint(
                condition=models.Q(target_hourly_micros=None, topup_basis_points=0)
                | models.Q(
                    target_hourly_micros__gte=1,
                    target_hourly_micros__lte=10**15,
                    topup_basis_points__gte=1,
                    topup_basis_points__lte=100_000,
                ),
                name="batch_topup",
            ),
        ),
        # Batches from before know their fee only; their bonuses shall have the same share.
        migrations.RunSQL(
            "UPDATE batches_batch SET fee_basis_points = least(10000, fee_micros * 10000 / price_micros)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(with_more(TERMS_BEFORE), TERMS_BEFORE),
    ]

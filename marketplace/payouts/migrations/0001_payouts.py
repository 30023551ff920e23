"""Destinations, payouts, runs, notices, thresholds and reports."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0003_second_factor"),
    ]

    operations = [
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("token", models.UUIDField()),
                ("until", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Destination",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("provider", models.CharField(max_length=20)),
                ("currency", models.CharField(max_length=3)),
                ("details", models.BinaryField()),
                ("shown", models.TextField()),
                ("fingerprint", models.BinaryField(max_length=32)),
                (
                    "added_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "usable_from",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                ("removed_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="destinations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("kind", models.CharField(choices=[("taken", "Taken"), ("former", "Former")], max_length=10)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="attempts", to="payouts.destination"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Payout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("holder", models.UUIDField()),
                ("provider", models.CharField(max_length=20)),
                ("currency", models.CharField(max_length=3)),
                ("amount_micros", models.BigIntegerField()),
                ("provider_key", models.CharField(max_length=40, unique=True)),
                ("provider_ref", models.CharField(blank=True, db_default="", default="", max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("approved", "Approved"),
                            ("sent", "Sent"),
                            ("in_doubt", "In Doubt"),
                            ("settled", "Settled"),
                            ("failed", "Failed"),
                            ("returned", "Returned"),
                            ("refused", "Refused"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_default="requested",
                        default="requested",
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, db_default="", default="", max_length=500)),
                ("needs_review", models.BooleanField(db_default=False, default=False)),
                (
                    "requested_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("doubtful_since", models.DateTimeField(null=True)),
                ("looked_up_at", models.DateTimeField(null=True)),
                ("look_up_at", models.DateTimeField(null=True)),
                ("look_up_wait_s", models.IntegerField(db_default=30, default=30)),
                ("lease", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payouts", to="payouts.destination"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payouts", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProviderNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=20)),
                ("event", models.CharField(max_length=200)),
                ("key", models.CharField(max_length=200)),
                ("fate", models.CharField(max_length=10)),
                ("reference", models.CharField(blank=True, default="", max_length=200)),
                ("detail", models.CharField(blank=True, default="", max_length=500)),
                ("said_at", models.DateTimeField()),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "payout",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="payouts.payout",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("provider", models.CharField(max_length=20)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("rows", models.IntegerField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("findings", models.JSONField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("provider", models.CharField(max_length=20)),
                ("currency", models.CharField(max_length=3)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="payout",
            name="run",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="payouts", to="payouts.run"
            ),
        ),
        migrations.CreateModel(
            name="Threshold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("holder", models.UUIDField()),
                ("provider", models.CharField(max_length=20)),
                ("currency", models.CharField(max_length=3)),
                ("above_micros", models.BigIntegerField()),
                (
                    "set_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payouts.destination"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="destination",
            index=models.Index(fields=["fingerprint"], name="destination_fingerprint"),
        ),
        migrations.AddConstraint(
            model_name="destination",
            constraint=models.UniqueConstraint(
                condition=models.Q(("removed_at", None)), fields=("fingerprint",), name="one_person_each"
            ),
        ),
        migrations.AddConstraint(
            model_name="destination",
            constraint=models.UniqueConstraint(fields=("id", "user", "provider", "currency"), name="destination_terms"),
        ),
        migrations.AddConstraint(
            model_name="destination",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="destination_currency"
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["taken", "former"])), name="attempt_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="providernotice",
            constraint=models.UniqueConstraint(fields=("provider", "event"), name="notice_once"),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(("until__gt", models.F("since"))), name="report_has_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(fields=("id", "provider", "currency"), name="run_terms"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(fields=["user", "requested_at"], name="payout_of_user"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(fields=["state", "id"], name="payout_by_state"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("look_up_at__isnull", False)), fields=["look_up_at"], name="payout_to_look_up"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "requested",
                            "approved",
                            "sent",
                            "in_doubt",
                            "settled",
                            "failed",
                            "returned",
                            "refused",
                            "cancelled",
                        ],
                    )
                ),
                name="payout_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_micros__gte", 10000), ("amount_micros__lte", 1000000000000000)),
                name="payout_amount_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease", None), ("lease_until", None)),
                    models.Q(("lease__isnull", False), ("lease_until__isnull", False)),
                    _connector="OR",
                ),
                name="payout_lease",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "in_doubt"), _negated=True), ("doubtful_since__isnull", False), _connector="OR"
                ),
                name="payout_doubt_has_begun",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["refused", "returned"]), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="payout_end_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="threshold",
            constraint=models.UniqueConstraint(fields=("user", "currency"), name="one_threshold"),
        ),
        migrations.AddConstraint(
            model_name="threshold",
            constraint=models.CheckConstraint(
                condition=models.Q(("above_micros__gte", 10000), ("above_micros__lte", 1000000000000000)),
                name="threshold_bounds",
            ),
        ),
    ]

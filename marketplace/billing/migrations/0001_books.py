"""Deposits, billing details, invoices and reports: the tables."""

import uuid

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0002_rights"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Deposit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("amount_micros", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("channel", models.CharField(max_length=40)),
                ("reference", models.CharField(max_length=200)),
                ("evidence", models.TextField()),
                ("transfer_key", models.TextField(unique=True)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="deposits", to="accounts.requester"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="InvoiceCounter",
            fields=[
                ("year", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("last_number", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="BillingDetails",
            fields=[
                (
                    "requester",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="billing_details",
                        serialize=False,
                        to="accounts.requester",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("address", models.TextField(blank=True)),
                ("tax_id", models.CharField(blank=True, max_length=40)),
                ("email", models.EmailField(blank=True, max_length=254)),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DepositReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("channel", models.CharField(max_length=40)),
                ("day_from", models.DateField()),
                ("day_to", models.DateField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("rows", models.PositiveIntegerField()),
                ("matched", models.PositiveIntegerField()),
                ("findings", models.JSONField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("invoice", "Invoice"), ("credit_note", "Credit Note")],
                        default="invoice",
                        max_length=11,
                    ),
                ),
                ("year", models.SmallIntegerField(editable=False)),
                ("number", models.IntegerField(editable=False)),
                ("issued_at", models.DateTimeField(editable=False)),
                ("currency", models.CharField(max_length=3)),
                ("period_from", models.DateField()),
                ("period_to", models.DateField()),
                ("edition", models.PositiveSmallIntegerField(default=1)),
                ("reason", models.TextField(blank=True)),
                ("seller", models.JSONField()),
                ("buyer", models.JSONField()),
                ("lines", models.JSONField()),
                ("money", models.JSONField()),
                ("work_micros", models.BigIntegerField()),
                ("fees_micros", models.BigIntegerField()),
                ("total_micros", models.BigIntegerField()),
                (
                    "corrects",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_note",
                        to="billing.invoice",
                    ),
                ),
                (
                    "issued_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invoices", to="accounts.requester"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "requester_id",
                        "currency",
                        "month",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("month", models.DateField()),
                (
                    "requester",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.requester",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.invoice",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DepositReversal",
            fields=[
                (
                    "deposit",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="reversal",
                        serialize=False,
                        to="billing.deposit",
                    ),
                ),
                ("reason", models.TextField()),
                ("transfer_key", models.TextField(unique=True)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "reversed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="deposit",
            index=models.Index(fields=["channel", "made_at"], name="deposit_of_channel"),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.UniqueConstraint(fields=("channel", "reference"), name="deposit_reference"),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_micros__gt", 0), ("amount_micros__lte", 1000000000000000)),
                name="deposit_amount_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(("evidence", ""), _negated=True), name="deposit_evidence"
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(("channel__regex", "^[a-z][a-z0-9_]*$")), name="deposit_channel"
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("recorded_by__isnull", False), models.Q(("channel", "bank"), _negated=True), _connector="OR"
                ),
                name="deposit_recorded_by",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(fields=("year", "number"), name="invoice_number"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "invoice")),
                fields=("requester", "currency", "period_from", "edition"),
                name="invoice_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_micros",
                        django.db.models.expressions.CombinedExpression(
                            models.F("work_micros"), "+", models.F("fees_micros")
                        ),
                    )
                ),
                name="invoice_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["invoice", "credit_note"])), name="invoice_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("corrects", None), ("kind", "invoice")),
                    models.Q(
                        ("corrects__isnull", False), ("kind", "credit_note"), models.Q(("reason", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="invoice_corrects",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("period_from__lte", models.F("period_to"))), name="invoice_period"
            ),
        ),
    ]

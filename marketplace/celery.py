"""Celery carries hints: every task is a sweep over a table, so losing or doubling a message costs seconds at most."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, task_failure, task_prerun, worker_init
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings.prod")
app = Celery("touchstone")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A task knows the request that it comes from, and says so in its lines.
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """The settings say how lines look; who connects here tells Celery to leave them alone."""


@worker_init.connect
def start_worker(sender: Any, **_: Any) -> None:
    """Before the worker's processes fork."""
    from marketplace.common import sweeps
    from marketplace.common.boot import require_safety
    from marketplace.common.durability import require_durability

    require_safety()
    require_durability()
    sweeps.begin_life(str(sender.hostname))
    task_failure.connect(sweeps.note_death, weak=False)


@beat_init.connect
def start_beat(**_: Any) -> None:
    """It serves nobody, but it is of the site."""
    from marketplace.common.boot import require_safety

    require_safety()


@task_prerun.connect
def renew_connection(**_: Any) -> None:
    """As the framework does before each request: a connection that broke or grew old is replaced."""
    from django.db import close_old_connections

    close_old_connections()

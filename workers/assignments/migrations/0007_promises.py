"""The promises about persons, limits and quarantine; and the older ones where a task may now be in quarantine."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("workers.assignments.migrations.0004_promises").VIEWS

CHANGED = {
    "inv_r06": (
        BEFORE["inv_r06"][0],
        BEFORE["inv_r06"][1].replace(
            "coalesce(sum(overlap), 0) AS places", "coalesce(sum(overlap - refunded), 0) AS places"
        ),
    ),
    "inv_r15": (
        "The queue of a batch holds exactly the tasks that have an open place and are not in quarantine.",
        """
        SELECT t.id AS task_id, t.overlap, t.taken, (o.task_id IS NOT NULL) AS queued
          FROM batches_task t LEFT JOIN batches_openplace o ON o.task_id = t.id
         WHERE (o.task_id IS NOT NULL) <>
               (t.taken + t.refunded < t.overlap AND NOT t.reserved AND t.quarantined_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id))
        """,
    ),
    "inv_r13": (
        "A person holds at most one assignment of a task, for life, whatever accounts he has, and none of his own organisation.",
        """
        SELECT a.task_id, a.person_id AS person_id, count(*) AS assignments
          FROM assignments_assignment a GROUP BY a.task_id, a.person_id HAVING count(*) > 1
        UNION ALL
        SELECT a.task_id, a.worker_id, count(*)
          FROM assignments_assignment a GROUP BY a.task_id, a.worker_id HAVING count(*) > 1
        """,
    ),
    "inv_r20": (
        "No person holds more leases in a batch than its cap.",
        """
        SELECT a.person_id, a.batch_id, count(*) AS leases, b.lease_cap
          FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id
         WHERE a.state = 'leased' GROUP BY a.person_id, a.batch_id, b.lease_cap HAVING count(*) > b.lease_cap
        """,
    ),
}

ADDED = {
    "inv_r14_lease": (
        "No lease lasts longer than its batch allows.",
        """
        SELECT a.id AS assignment_id, a.leased_at, a.lease_until FROM assignments_assignment a
          JOIN batches_batch b ON b.id = a.batch_id
         WHERE a.lease_until > a.leased_at + make_interval(secs => b.lease_max_s)
        """,
    ),
    "inv_r19": (
        "A task is in quarantine exactly when enough workers gave it up, and nobody can take it there.",
        """
        SELECT t.id AS task_id, t.attempts, b.max_attempts, t.quarantined_at
          FROM batches_task t JOIN batches_batch b ON b.id = t.batch_id
         WHERE (t.quarantined_at IS NOT NULL) <> (t.attempts >= b.max_attempts)
            OR (t.quarantined_at IS NOT NULL AND EXISTS (SELECT 1 FROM assignments_assignment a
                 WHERE a.task_id = t.id AND a.leased_at > t.quarantined_at AND a.submitted_at IS NULL))
        """,
    ),
    "inv_r19_counts": (
        "The progress of a batch says how many of its tasks are in quarantine.",
        """
        SELECT b.id AS batch_id, told.quarantined, counted.quarantined AS quarantined_now
          FROM batches_batch b
          CROSS JOIN LATERAL (SELECT coalesce(sum(quarantined), 0) AS quarantined
                                FROM (SELECT quarantined FROM batches_progress WHERE batch_id = b.id
                                      UNION ALL
                                      SELECT quarantined FROM batches_progressdelta WHERE batch_id = b.id) d) told
          CROSS JOIN LATERAL (SELECT count(*) AS quarantined FROM batches_task
                               WHERE batch_id = b.id AND quarantined_at IS NOT NULL) counted
         WHERE told.quarantined <> counted.quarantined
        """,
    ),
    "inv_r20_limits": (
        "No person uses more places of a batch than it gives him, in all and on a day, and the counts say how many.",
        """
        SELECT q.person_id, q.batch_id, q.day, q.used, counted.used AS used_now, b.worker_limit, b.daily_limit
          FROM assignments_quota q JOIN batches_batch b ON b.id = q.batch_id
          CROSS JOIN LATERAL (
              SELECT count(*) AS used FROM assignments_assignment a
               WHERE a.person_id = q.person_id AND a.batch_id = q.batch_id AND a.state NOT IN ('returned', 'expired')
                 AND (q.day = '-infinity' OR (a.leased_at AT TIME ZONE 'UTC')::date = q.day)) counted
         WHERE q.used <> counted.used
            OR q.used > CASE WHEN q.day = '-infinity' THEN b.worker_limit ELSE b.daily_limit END
        """,
    ),
    "inv_r20_pairs": (
        "No two people have held more tasks together than their batch allows.",
        """
        SELECT x.batch_id, x.person_id AS low_id, y.person_id AS high_id, count(*) AS shared, b.pair_limit
          FROM batches_batch b
          JOIN assignments_assignment x ON x.batch_id = b.id AND x.state IN ('leased', 'submitted', 'accepted')
          JOIN assignments_assignment y ON y.task_id = x.task_id AND y.person_id > x.person_id
                                       AND y.state IN ('leased', 'submitted', 'accepted')
         WHERE b.pair_limit IS NOT NULL
         GROUP BY x.batch_id, x.person_id, y.person_id, b.pair_limit HAVING count(*) > b.pair_limit
        """,
    ),
    "inv_r06_totals": (
        "The tasks and places of a batch are counted as they arrive.",
        """
        SELECT b.id AS batch_id, l.tasks, l.places, counted.tasks AS tasks_now, counted.places AS places_now
          FROM batches_batch b LEFT JOIN batches_tail l ON l.batch_id = b.id
          CROSS JOIN LATERAL (SELECT count(*) AS tasks, coalesce(sum(overlap), 0) AS places FROM batches_task
                               WHERE batch_id = b.id) counted
         WHERE (coalesce(l.tasks, 0), coalesce(l.places, 0)) <> (counted.tasks, counted.places)
        """,
    ),
}


def made(views: dict[str, tuple[str, str]]) -> list[str]:
    return [
        f"CREATE VIEW {name} AS {body}; COMMENT ON VIEW {name} IS $${sentence}$$;"
        f" GRANT SELECT ON {name} TO touchstone_runtime;"
        for name, (sentence, body) in views.items()
    ]


def dropped(names: list[str]) -> list[str]:
    return [f"DROP VIEW {name};" for name in names]


class Migration(migrations.Migration):
    dependencies = [("assignments", "0006_flow")]
    operations = [
        migrations.RunSQL(
            dropped(list(CHANGED)) + made(CHANGED | ADDED),
            dropped(list(CHANGED | ADDED)) + made({name: BEFORE[name] for name in CHANGED}),
        )
    ]

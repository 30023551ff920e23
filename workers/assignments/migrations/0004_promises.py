"""The promises about work as views; each returns the rows that break it."""

from django.db import migrations

VIEWS = {
    "inv_r05": (
        "Every accepted answer is paid exactly once, with the price and the fee of its batch.",
        """
        SELECT s.assignment_id, s.price_micros, s.settled_at, r.amount_micros AS reward_micros, f.amount_micros AS fee_paid
          FROM assignments_settlement s
          LEFT JOIN ledger_transfer r ON r.key = 'reward:' || s.assignment_id
          LEFT JOIN ledger_transfer f ON f.key = 'fee:' || s.assignment_id
         WHERE (s.settled_at IS NOT NULL) <> (r.id IS NOT NULL)
            OR (s.settled_at IS NOT NULL AND s.fee_micros > 0) <> (f.id IS NOT NULL)
            OR r.amount_micros <> s.price_micros OR f.amount_micros <> s.fee_micros
        """,
    ),
    "inv_r06": (
        "A batch's escrow is exactly what its unpaid places cost, and nothing once it is settled.",
        """
        SELECT b.id AS batch_id, b.state, coalesce(a.balance_micros, 0) AS escrow_micros,
               CASE WHEN b.state = 'draft' OR (b.state = 'cancelled' AND b.published_at IS NULL)
                         OR b.settled_at IS NOT NULL THEN 0
                    ELSE (t.places - s.paid) * (b.price_micros + b.fee_micros) END AS expected_micros
          FROM batches_batch b
          LEFT JOIN ledger_account a ON a.address = 'batch:' || b.public_id || ':escrow' AND a.currency = b.currency
          CROSS JOIN LATERAL (SELECT coalesce(sum(overlap), 0) AS places FROM batches_task WHERE batch_id = b.id) t
          CROSS JOIN LATERAL (SELECT count(*) AS paid FROM assignments_settlement
                               WHERE batch_id = b.id AND settled_at IS NOT NULL) s
         WHERE coalesce(a.balance_micros, 0) <>
               CASE WHEN b.state = 'draft' OR (b.state = 'cancelled' AND b.published_at IS NULL)
                         OR b.settled_at IS NOT NULL THEN 0
                    ELSE (t.places - s.paid) * (b.price_micros + b.fee_micros) END
        """,
    ),
    "inv_r12": (
        "No task has more live answers than its overlap, and its counter says how many there are.",
        """
        SELECT t.id AS task_id, t.overlap, t.taken, count(a.id) AS live
          FROM batches_task t
          LEFT JOIN assignments_assignment a ON a.task_id = t.id AND a.state IN ('leased', 'submitted', 'accepted')
         GROUP BY t.id HAVING count(a.id) > t.overlap OR count(a.id) <> t.taken OR count(a.id) <> count(DISTINCT a.place)
        """,
    ),
    "inv_r13": (
        "A worker holds at most one assignment of a task, for life, and none of his own organisation.",
        """
        SELECT task_id, worker_id, count(*) AS assignments
          FROM assignments_assignment GROUP BY task_id, worker_id HAVING count(*) > 1
        """,
    ),
    "inv_r14": (
        "No answer was submitted after its lease had ended.",
        """
        SELECT id AS assignment_id, submitted_at, lease_until FROM assignments_assignment
         WHERE state IN ('submitted', 'accepted', 'rejected', 'upheld')
           AND (submitted_at IS NULL OR submitted_at > lease_until)
        """,
    ),
    "inv_r15": (
        "The queue of a running batch holds exactly the tasks that have an open place.",
        """
        SELECT t.id AS task_id, t.overlap, t.taken, (o.task_id IS NOT NULL) AS queued
          FROM batches_task t
          JOIN batches_batch b ON b.id = t.batch_id AND b.published_at IS NOT NULL
          LEFT JOIN batches_openplace o ON o.task_id = t.id
         WHERE (o.task_id IS NOT NULL) <>
               (t.taken < t.overlap AND NOT t.reserved
                AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id))
        """,
    ),
    "inv_r16_answer": (
        "Every submission has its answer, and nothing else has one.",
        """
        SELECT a.id AS assignment_id, a.state, count(w.revision) AS answers
          FROM assignments_assignment a LEFT JOIN assignments_answer w ON w.assignment_id = a.id
         GROUP BY a.id
        HAVING (a.state IN ('submitted', 'accepted', 'rejected', 'upheld') AND count(w.revision) = 0)
            OR (a.state = 'returned' AND a.submitted_at IS NULL AND count(w.revision) > 0)
            OR count(w.revision) <> coalesce(max(w.revision), 0)
        """,
    ),
    "inv_r17": (
        "Every trigger that guards an assignment's steps exists and is always enabled.",
        """
        SELECT wanted.relname, wanted.tgname
          FROM (VALUES ('assignments_assignment', 'assignment_step'), ('assignments_assignment', 'assignment_effects'),
                       ('assignments_assignment', 'closed'), ('assignments_assignment', 'closed_truncate'),
                       ('assignments_answer', 'answer_step'), ('assignments_answer', 'closed'),
                       ('assignments_answer', 'closed_truncate'), ('assignments_settlement', 'settlement_step'),
                       ('batches_batch', 'batch_step'), ('batches_batch', 'batch_may_settle'),
                       ('batches_task', 'task_of_draft')) AS wanted(relname, tgname)
         WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                            WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A')
        """,
    ),
    "inv_r18": (
        "Exactly the accepted and the upheld answers are due or paid.",
        """
        SELECT a.id AS assignment_id, a.state FROM assignments_assignment a
          LEFT JOIN assignments_settlement s ON s.assignment_id = a.id
         WHERE (a.state IN ('accepted', 'upheld')) <> (s.assignment_id IS NOT NULL)
        """,
    ),
    "inv_r20": (
        "No worker holds more leases in a batch than its cap.",
        """
        SELECT a.worker_id, a.batch_id, count(*) AS leases, b.lease_cap
          FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id
         WHERE a.state = 'leased' GROUP BY a.worker_id, a.batch_id, b.lease_cap HAVING count(*) > b.lease_cap
        """,
    ),
    "inv_r20_counts": (
        "The progress of a batch says how many assignments are in each state.",
        """
        SELECT b.id AS batch_id, told.*, counted.*
          FROM batches_batch b
          CROSS JOIN LATERAL (
              SELECT coalesce(sum(leased), 0) AS leased, coalesce(sum(submitted), 0) AS submitted,
                     coalesce(sum(accepted), 0) AS accepted, coalesce(sum(rejected), 0) AS rejected,
                     coalesce(sum(returned), 0) AS returned, coalesce(sum(expired), 0) AS expired
                FROM (SELECT leased, submitted, accepted, rejected, returned, expired
                        FROM batches_progress WHERE batch_id = b.id
                      UNION ALL
                      SELECT leased, submitted, accepted, rejected, returned, expired
                        FROM batches_progressdelta WHERE batch_id = b.id) d) told
          CROSS JOIN LATERAL (
              SELECT count(*) FILTER (WHERE state = 'leased') AS leased_now,
                     count(*) FILTER (WHERE state = 'submitted') AS submitted_now,
                     count(*) FILTER (WHERE state IN ('accepted', 'upheld')) AS accepted_now,
                     count(*) FILTER (WHERE state = 'rejected') AS rejected_now,
                     count(*) FILTER (WHERE state = 'returned') AS returned_now,
                     count(*) FILTER (WHERE state = 'expired') AS expired_now
                FROM assignments_assignment WHERE batch_id = b.id) counted
         WHERE (told.leased, told.submitted, told.accepted, told.rejected, told.returned, told.expired) IS DISTINCT FROM
               (counted.leased_now, counted.submitted_now, counted.accepted_now, counted.rejected_now,
                counted.returned_now, counted.expired_now)
        """,
    ),
    "inv_r37": (
        "No gold task was shown to more workers than its cap.",
        """
        SELECT g.task_id, g.cap, g.shown, count(a.id) AS seen
          FROM batches_goldkey g LEFT JOIN assignments_assignment a ON a.task_id = g.task_id
         GROUP BY g.task_id HAVING count(a.id) > g.cap OR count(a.id) <> g.shown
        """,
    ),
}


class Migration(migrations.Migration):
    dependencies = [("assignments", "0003_take"), ("ledger", "0002_guards")]
    operations = [
        migrations.RunSQL(
            [
                f"CREATE VIEW {name} AS {body}; COMMENT ON VIEW {name} IS $${sentence}$$;"
                f" GRANT SELECT ON {name} TO touchstone_runtime;"
                for name, (sentence, body) in VIEWS.items()
            ],
            [f"DROP VIEW {name};" for name in VIEWS],
        )
    ]

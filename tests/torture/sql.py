"""Every statement that the rig sends to the database, in one place: when tables change, this is what to adapt."""

LIVE = "('leased', 'submitted', 'accepted')"

# --- what is true now ---------------------------------------------------------------------------------------------

VIEWS = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'v' AND c.relname LIKE 'inv\\_r%' AND n.nspname = 'public' ORDER BY c.relname"
)
VIEW = "SELECT count(*) OVER (), v::text FROM {view} v LIMIT 3"
OVERFILLED = (
    "SELECT t.id, t.overlap, count(*) FROM batches_task t JOIN assignments_assignment a ON a.task_id = t.id"
    f" WHERE a.state IN {LIVE} GROUP BY t.id HAVING count(*) > t.overlap"
)
# Each answer is scored once: it waits, or it has become an outcome.
UNSCORED = (
    "SELECT (SELECT count(*) FROM assignments_answer), (SELECT count(*) FROM gold_toscore),"
    " (SELECT count(*) FROM reputation_outcome WHERE kind = 'answer')"
)
OVERDUE = (
    "SELECT public_id::text, lease_until FROM assignments_assignment"
    " WHERE state = 'leased' AND lease_until < clock_timestamp()"
)
EXPIRIES = (
    "SELECT a.public_id::text, e.made_at, CASE a.state WHEN 'expired' THEN a.lease_until END FROM common_outbox e,"
    " jsonb_array_elements_text(e.body->'assignment_ids') AS ids(id), assignments_assignment a"
    " WHERE e.kind = 'LeaseExpired' AND a.id = ids.id::bigint AND a.end_reason <> 'cancelled'"
    " ORDER BY e.made_at"
)
_UNREAD = (
    "SELECT extract(epoch FROM clock_timestamp() - min(e.made_at))::float8, count(*) FROM common_outbox e"
    " WHERE (e.xid, e.id) > (coalesce((SELECT xid FROM common_outboxcursor WHERE reader = '{reader}'), '0'),"
    " coalesce((SELECT last_id FROM common_outboxcursor WHERE reader = '{reader}'), 0))"
)
# Seconds for which the oldest of each kind of work has waited: these are what the sweeps are for.
WAITING = {
    "to_score": "SELECT extract(epoch FROM clock_timestamp() - min(made_at))::float8, count(*) FROM gold_toscore",
    "outbox": _UNREAD.format(reader="relay"),
    "streams": _UNREAD.format(reader="streams"),
    "webhooks": _UNREAD.format(reader="webhooks"),
    "consensus": _UNREAD.format(reader="consensus"),
    "unpaid": (
        "SELECT extract(epoch FROM clock_timestamp() - min(due_at))::float8, count(*) FROM assignments_settlement"
        " WHERE settled_at IS NULL"
    ),
    "unsealed": (
        "SELECT extract(epoch FROM clock_timestamp() - min(t.made_at))::float8, count(*) FROM ledger_transfer t"
        " JOIN ledger_sealer k ON (t.xid, t.id) > (k.xid, k.last_id)"
    ),
    "undecided": (
        "SELECT extract(epoch FROM clock_timestamp() - min(auto_accept_at))::float8, count(*)"
        " FROM assignments_assignment WHERE state = 'submitted' AND auto_accept_at < clock_timestamp()"
    ),
    # Nothing says since when, so these are judged at the end only.
    "topup": "SELECT NULL::float8, count(*) FROM assignments_extra WHERE settled_at IS NULL",
    "refund": (
        "SELECT NULL::float8, count(*) FROM assignments_quarantine q JOIN batches_batch b ON b.id = q.batch_id"
        " WHERE q.due AND b.settled_at IS NULL"
    ),
    # How long an import takes depends on its size, so it is judged at the end only too.
    "import": "SELECT NULL::float8, count(*) FROM batches_import WHERE finished_at IS NULL AND state <> 'receiving'",
    # One builder at a time takes the oldest; while anybody holds one, and after every step, the waiting begins anew.
    "dataset": (
        "SELECT extract(epoch FROM clock_timestamp() - greatest(min(made_at) FILTER (WHERE finished_at IS NULL),"
        " max(held_until) FILTER (WHERE finished_at IS NULL), max(touched_at) FILTER (WHERE token IS NOT NULL)))"
        "::float8, count(*) FILTER (WHERE finished_at IS NULL) FROM results_dataset HAVING min(made_at)"
        " FILTER (WHERE finished_at IS NULL) IS NOT NULL"
    ),
    "lease": (
        "SELECT extract(epoch FROM clock_timestamp() - min(lease_until))::float8, count(*)"
        " FROM assignments_assignment WHERE state = 'leased' AND lease_until < clock_timestamp()"
    ),
}
# Tasks that as many workers gave up as their batch allows, and that are handed out all the same.
POISON = """
SELECT t.id, b.max_attempts, count(*) FROM batches_task t JOIN batches_batch b ON b.id = t.batch_id
  JOIN assignments_assignment a ON a.task_id = t.id
 WHERE t.quarantined_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM assignments_quarantine q WHERE q.task_id = t.id)  -- it was released
   AND (a.attempts > 1 AND NOT EXISTS (SELECT 1 FROM assignments_repair p WHERE p.assignment_id = a.id)
        OR (a.state = 'returned' AND a.end_reason <> 'skip')
        OR (a.state = 'expired' AND a.end_reason <> 'cancelled'))
 GROUP BY t.id, b.max_attempts HAVING count(*) >= b.max_attempts
"""
# Batches into which nothing is on its way, with other tasks than their imports brought. What a pilot was made of has
# left its draft and counts here for both: as the pilot's own import, and as what the draft's brought.
HALF_IMPORTS = """
SELECT b.public_id::text, t.tasks, i.tasks FROM batches_batch b
  CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM batches_task WHERE batch_id IN (b.id, b.pilot_id)) t
  CROSS JOIN LATERAL (SELECT coalesce(sum(tasks), 0) AS tasks FROM batches_import
                       WHERE batch_id = b.id AND state = 'done') i
 WHERE t.tasks <> i.tasks
   AND NOT EXISTS (SELECT 1 FROM batches_import WHERE batch_id = b.id AND finished_at IS NULL)
"""
# Open places of running batches that somebody could take: gold is given by schedule, a reserved task to its workers.
OPEN_PLACES = """
SELECT t.id, t.external_id, b.name, t.taken, t.overlap, t.reserved FROM batches_task t
  JOIN batches_batch b ON b.id = t.batch_id AND b.state = 'published' AND b.name <> 'arena'
 WHERE t.taken + t.refunded < t.overlap AND t.quarantined_at IS NULL
   AND b.worker_limit IS NULL AND b.daily_limit IS NULL AND b.pair_limit IS NULL
   AND NOT batches_is_gold(t.id)
   AND (NOT t.reserved OR EXISTS (SELECT 1 FROM batches_reservation r WHERE r.task_id = t.id AND NOT EXISTS
        (SELECT 1 FROM assignments_assignment a WHERE a.task_id = t.id AND a.worker_id = r.worker_id)))
"""
ANSWERED = "SELECT count(*) FROM assignments_answer"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE usename = 'touchstone_app' AND datname = current_database() ORDER BY 1"
)
TERMINATE = "SELECT pg_terminate_backend(%s)"

# --- what is stored, to be compared with what was acknowledged ------------------------------------------------------

ANSWERS = (
    "SELECT a.public_id::text, w.revision, w.values, w.unclear FROM assignments_answer w"
    " JOIN assignments_assignment a ON a.id = w.assignment_id"
)
ASSIGNMENTS = (
    "SELECT a.public_id::text, a.state, a.end_reason, a.comment, w.public_id::text, a.lease_until"
    " FROM assignments_assignment a JOIN profiles_worker w ON w.id = a.worker_id"
)
DRAFTS = (
    "SELECT a.public_id::text, d.values FROM assignments_draft d"
    " JOIN assignments_assignment a ON a.id = d.assignment_id"
)
DEPOSITS = (
    "SELECT t.key, t.amount_micros, t.currency, d.address FROM ledger_transfer t"
    " JOIN ledger_account d ON d.id = t.destination_id WHERE t.kind = 'deposit'"
)
PAYMENTS = "SELECT key, count(*) FROM ledger_transfer GROUP BY key HAVING count(*) > 1"
BATCHES = "SELECT public_id::text, state, published_at IS NOT NULL FROM batches_batch"
PAYOUTS = "SELECT public_id::text, state, amount_micros FROM payouts_payout"
BONUSES = (
    "SELECT b.public_id::text, x.reference, x.amount_micros, count(t.id) FROM assignments_extra x"
    " JOIN batches_batch b ON b.id = x.batch_id LEFT JOIN ledger_transfer t ON t.key = 'bonus:' || x.public_id"
    " WHERE x.kind = 'bonus' GROUP BY x.id, b.id"
)
SANCTIONS = (
    "SELECT s.public_id::text, w.public_id::text, s.measure, s.lifted_at IS NOT NULL FROM accounts_sanction s"
    " JOIN profiles_worker w ON w.user_id = s.user_id"
)
IMPORTS = (
    "SELECT b.public_id::text, encode(i.body_sha256, 'hex'), i.tasks, count(*) FROM batches_import i"
    " JOIN batches_batch b ON b.id = i.batch_id WHERE i.state = 'done' GROUP BY 1, 2, 3"
)
RUNS = "SELECT r.public_id::text, b.public_id::text FROM results_run r JOIN batches_batch b ON b.id = r.batch_id"
ADJUDICATIONS = (
    "SELECT d.public_id::text, b.public_id::text, t.external_id, d.values, a.public_id::text, d.reason, d.words"
    " FROM results_adjudication d JOIN batches_batch b ON b.id = d.batch_id JOIN batches_task t ON t.id = d.task_id"
    " LEFT JOIN assignments_assignment a ON a.id = d.answer_id"
)
PILOTS = (
    "SELECT p.public_id::text, r.public_id::text, (SELECT count(*) FROM batches_task t WHERE t.batch_id = p.id)"
    " FROM batches_batch r JOIN batches_batch p ON p.id = r.pilot_id"
)
LINKS = (
    "SELECT l.public_id::text, b.public_id::text, d.number, l.ended_at IS NOT NULL, l.used_at IS NOT NULL"
    " FROM results_datasetlink l JOIN results_dataset d ON d.id = l.dataset_id"
    " JOIN batches_batch b ON b.id = d.batch_id"
)
# How often the audit log says of somebody that he was given a role, or lost one: by organisation, or '' for the staff.
GIVEN = """
SELECT act, subject_id, coalesce(after, before) ->> 'user',
       coalesce(after ->> 'role', ''), count(*)
  FROM accounts_act WHERE act IN ('permission.member_added', 'permission.role_changed', 'permission.member_removed')
 GROUP BY 1, 2, 3, 4
UNION ALL
SELECT a.act, '', a.subject_id, r.role, count(*) FROM accounts_act a
 CROSS JOIN LATERAL (SELECT role FROM jsonb_array_elements_text(a.before -> 'roles') AS b(role)
                     EXCEPT SELECT role FROM jsonb_array_elements_text(a.after -> 'roles') AS b(role)) r
 WHERE a.act = 'permission.staff_revoked' GROUP BY 1, 2, 3, 4
UNION ALL
SELECT a.act, '', a.subject_id, r.role, count(*) FROM accounts_act a
 CROSS JOIN LATERAL (SELECT role FROM jsonb_array_elements_text(a.after -> 'roles') AS b(role)
                     EXCEPT SELECT role FROM jsonb_array_elements_text(a.before -> 'roles') AS b(role)) r
 WHERE a.act = 'permission.staff_granted' GROUP BY 1, 2, 3, 4
"""
DATASETS = (
    "SELECT b.public_id::text, d.number, d.format, d.options, d.plan, r.public_id::text, d.state, d.error,"
    " encode(d.archive_sha256, 'hex'), encode(d.content_sha256, 'hex'), d.id,"
    " extract(epoch FROM coalesce(d.finished_at, clock_timestamp()) - d.made_at)::float8,"
    " CASE WHEN d.finished_at IS NOT NULL THEN md5(d::text) END"
    " FROM results_dataset d JOIN batches_batch b ON b.id = d.batch_id JOIN results_run r ON r.id = d.run_id"
    " ORDER BY d.batch_id, d.number"
)
# Parts that follow each other without a gap; what lies beside the archive does not belong to a finished version.
ARCHIVE = (
    "SELECT at, body FROM results_datasetpart WHERE dataset_id = %s ORDER BY at NULLS LAST, kind, path, stretch, number"
)
# Answers that results rest on although they are neither accepted nor upheld.
RESTS_ON_REJECTED = """
SELECT r.public_id::text, a.public_id::text, a.state FROM results_provenance p JOIN results_run r ON r.id = p.run_id
  CROSS JOIN LATERAL unnest(p.assignments) AS of_task(id) JOIN assignments_assignment a ON a.id = of_task.id
 WHERE a.state NOT IN ('accepted', 'upheld') LIMIT 5
"""

# --- a writer that takes its time: no reader of events may pass what it has not committed yet ------------------------

EVENT = (
    "INSERT INTO common_outbox (kind, body, made_at) VALUES ('Torture', '{}', clock_timestamp())"
    " RETURNING xid::text, id"
)
CURSOR_PASSED = "SELECT reader FROM common_outboxcursor WHERE (xid, last_id) >= (%s::text::xid8, %s::bigint)"

# --- the arena: a batch that only the adversary plays in -------------------------------------------------------------

ARENA = """
SELECT b.id AS batch, b.version_id AS version, b.requester_id AS requester,
       (SELECT min(id) FROM batches_task t WHERE t.batch_id = b.id AND external_id = 'a0') AS task,
       (SELECT min(id) FROM batches_task t WHERE t.batch_id = b.id AND external_id = 'a1') AS other_task,
       (SELECT min(id) FROM batches_task t WHERE t.batch_id = b.id AND reserved) AS reserved_task,
       (SELECT task_id FROM batches_goldkey g WHERE g.batch_id = b.id LIMIT 1) AS gold_task,
       (SELECT id FROM ledger_account WHERE address = 'batch:' || b.public_id || ':escrow' LIMIT 1) AS escrow,
       (SELECT id FROM ledger_account WHERE address = 'requester:' || r.public_id || ':funds' LIMIT 1) AS funds,
       (SELECT w.id FROM profiles_worker w WHERE w.public_id = %(worker)s) AS worker,
       (SELECT w.id FROM profiles_worker w WHERE w.public_id = %(other)s) AS other_worker,
       (SELECT w.id FROM profiles_worker w WHERE w.public_id = %(own)s) AS own_worker,
       (SELECT w.user_id FROM profiles_worker w WHERE w.public_id = %(worker)s) AS person,
       (SELECT w.user_id FROM profiles_worker w WHERE w.public_id = %(other)s) AS other_person,
       (SELECT min(user_id) FROM accounts_staffrole WHERE role = 'superuser') AS first_staff,
       (SELECT max(user_id) FROM accounts_staffrole WHERE role = 'superuser') AS second_staff,
       (SELECT p.id FROM payouts_payout p JOIN profiles_worker w ON w.user_id = p.user_id
         WHERE w.public_id = %(worker)s AND p.state = 'sent') AS payout,
       (SELECT min(x.id) FROM batches_batch x WHERE x.id <> b.id) AS other_batch
  FROM batches_batch b JOIN accounts_requester r ON r.id = b.requester_id WHERE b.public_id = %(batch)s
"""
# Whoever attacks one wall tells well of what he does, so that the wall of events (R21) is not the one that stops him.
TELL = """
INSERT INTO common_outbox (kind, body, made_at)
SELECT k.kind, jsonb_build_object(
           'batch_id', %(batch)s::bigint,
           'assignment_ids', (SELECT coalesce(jsonb_agg(a.id), '[]') FROM assignments_assignment a
                               WHERE a.batch_id = %(batch)s),
           'worker_ids', (SELECT coalesce(jsonb_agg(DISTINCT a.worker_id), '[]') FROM assignments_assignment a
                           WHERE a.batch_id = %(batch)s),
           'sanction_id', (SELECT coalesce(jsonb_agg(s.id), '[]') FROM
                           (SELECT id FROM accounts_sanction ORDER BY id DESC LIMIT 50) s)), market_now()
  FROM unnest(ARRAY['PlaceTaken', 'AnswerSubmitted', 'AnswerAccepted', 'AnswerRejected', 'AnswerReturned',
                    'AnswerUpheld', 'LeaseExpired', 'LeaseReturned', 'PaymentSettled', 'BonusPaid', 'BatchPublished',
                    'BatchPaused', 'BatchResumed', 'BatchClosing', 'BatchCancelled', 'BatchSettled', 'Sanctioned',
                    'SanctionLifted']) AS k(kind)
"""
_LEASE = (
    "INSERT INTO assignments_assignment (batch_id, task_id, worker_id, version_id, place, lease_no, leased_at,"
    " lease_until) VALUES (%(batch)s, %({task})s, %({worker})s, %(version)s, {place}, {number}, market_now() - {ago},"
    " market_now() - {ago} + interval '60 s')"
)
_MINE = "WHERE task_id = %(task)s AND worker_id = %(worker)s"


def _lease(
    task: str = "task", worker: str = "worker", place: int = 1, number: int = 1, ago: str = "interval '0'"
) -> str:
    return _LEASE.format(task=task, worker=worker, place=place, number=number, ago=ago)


_ENDED = _lease(ago="interval '2 min'")
_SUBMIT = f"UPDATE assignments_assignment SET state = 'submitted', submitted_at = market_now() {_MINE}"
_ANSWER = (
    (
        "INSERT INTO assignments_answer (assignment_id, revision, batch_id, values, submitted_at)"
        ' SELECT id, 1, batch_id, \'{{"label": "cat"}}\', market_now() FROM assignments_assignment ' + _MINE
    )
    .replace("{{", "{")
    .replace("}}", "}")
)
_REJECTION = (
    "INSERT INTO assignments_rejection (assignment_id, batch_id, reason, comment, version_id, made_by_id, made_at)"
    " SELECT id, batch_id, 'wrong', 'no', version_id, (SELECT min(id) FROM accounts_user), market_now()"
    f" FROM assignments_assignment {_MINE}"
)
_REJECT = (
    "UPDATE assignments_assignment SET state = 'rejected', end_reason = 'wrong', comment = 'no',"
    f" decided_at = market_now() {_MINE}"
)
_TRANSFER = (
    "INSERT INTO ledger_transfer (key, kind, source_id, destination_id, currency, amount_micros, made_at)"
    " VALUES ('torture:{key}', 'torture', %({source})s, %({destination})s, 'EUR', {amount}, market_now())"
)
_PAY = _TRANSFER.format(key="once", source="escrow", destination="funds", amount=1)

_LINK = (
    "SELECT profiles_link(ARRAY[%(worker)s, %(other_worker)s]::bigint[], 'torture', min(id))"
    " FROM accounts_user WHERE is_staff AND is_active"
)

_LIMIT = (
    "INSERT INTO accounts_sanction (user_id, scope, measure, reason, words, evidence, made_by_id, expires_at,"
    " appeal_until) SELECT user_id, 'platform', 'limit', 'other', 'torture', '{evidence}', {by}, market_now() +"
    " interval '1 h', market_now() + interval '7 d' FROM profiles_worker WHERE id = %(worker)s"
)
_STAFF = "(SELECT min(id) FROM accounts_user WHERE is_staff AND is_active)"
_SANCTION = _LIMIT.format(evidence='{"n": 1}', by=_STAFF)
_SANCTIONED = "WHERE words = 'torture' AND user_id = (SELECT user_id FROM profiles_worker WHERE id = %(worker)s)"
_JUDGE = (
    "INSERT INTO reputation_outcome"
    " (worker_id, project_id, requester_id, batch_id, kind, score, assignment_id, made_at)"
    " SELECT %(worker)s, project_id, requester_id, id, 'gold', 0, 1, market_now() FROM batches_batch"
    " WHERE id = %(batch)s"
)
_RUN = (
    "INSERT INTO results_run (public_id, batch_id, method, tasks, answers, converged, iterations, final, made_at)"
    " VALUES (gen_random_uuid(), %(batch)s, 'majority', 1, 1, true, 0, false, market_now())"
)
_DATASET = (
    "INSERT INTO results_dataset (public_id, batch_id, run_id, number, format, options, plan, state, made_by_id,"
    " made_at, touched_at, finished_at, after_task_id, items, answers, items_written, stretch, tally, losses, manifest,"
    " content_sha256, archive_sha256, size)"
    " SELECT gen_random_uuid(), %(batch)s, max(id), 1, 'jsonl', '{}', '{}', 'done',"
    " (SELECT min(id) FROM accounts_user), market_now(), market_now(), market_now(),"
    " 0, 1, 1, 1, 1, '{}', '[]', '{}', 'x', 'x', 1"
    " FROM results_run WHERE batch_id = %(batch)s"
)
_DATASETS = "WHERE batch_id = %(batch)s"

_TICKET = (
    "INSERT INTO accounts_ticket (digest, user_id, key_digest, socket, expires_at)"
    " SELECT 'torture', user_id, 'torture', 'worker', market_now() FROM profiles_worker WHERE id = %(worker)s"
)
_RULINGS = (
    "INSERT INTO results_adjudication (public_id, batch_id, task_id, number, values, answer_id, reason, words, sampled,"
    " made_by_id) SELECT gen_random_uuid(), %({batch})s, %({task})s, 32000, '{{}}', {answer}, 'plain', '', false,"
    " min(id) FROM accounts_user"
)
_MY_ANSWER = f"(SELECT id FROM assignments_assignment {_MINE})"


def _ruling(batch: str = "batch", task: str = "task", answer: str = "NULL") -> str:
    return _RULINGS.format(batch=batch, task=task, answer=answer)


_LINK_OUT = (
    "INSERT INTO results_datasetlink (public_id, dataset_id, digest, made_by_id, expires_at)"
    " SELECT gen_random_uuid(), max(id), sha256('torture'), (SELECT min(id) FROM accounts_user),"
    f" market_now() + interval '1 h' FROM results_dataset {_DATASETS}"
)
_LINKED = "WHERE digest = sha256('torture')"

_INVITE = (
    "INSERT INTO accounts_memberinvitation (public_id, requester_id, email, role, code_hash, made_by_id, expires_at)"
    " SELECT gen_random_uuid(), %(requester)s, 'torture@torture.example', 'viewer', sha256('torture'), {by},"
    " market_now() + interval '1 d'"
)
_OWNER = "(SELECT min(user_id) FROM accounts_member WHERE requester_id = %(requester)s AND role = 'owner')"
_INVITED = "WHERE code_hash = sha256('torture')"

_RELEASE = (
    "INSERT INTO payouts_runrelease (run_id, made_by_id) SELECT run_id, %({by})s FROM payouts_payout"
    " WHERE id = %(payout)s"
)
# What a deposit moves, so that nothing but who records it stands in the way.
_PAID_IN = (
    "INSERT INTO ledger_transfer (key, kind, source_id, destination_id, currency, amount_micros, made_at)"
    " SELECT 'deposit:torture', 'deposit', id, %(funds)s, currency, 1, market_now() FROM ledger_account"
    " WHERE address = 'outside:bank' AND currency = 'EUR'"
)
_DEPOSIT = (
    "INSERT INTO billing_deposit (public_id, requester_id, amount_micros, currency, channel, reference, evidence,"
    " recorded_by_id, transfer_key) VALUES (gen_random_uuid(), %(requester)s, 1, 'EUR', 'bank', 'torture', 'torture',"
    f" {_OWNER}, 'deposit:torture')"
)
_OUTSIDE = (
    "INSERT INTO ledger_account (address, currency) SELECT 'outside:' || provider, currency FROM payouts_payout p"
    " WHERE id = %(payout)s AND NOT EXISTS (SELECT 1 FROM ledger_account a WHERE a.address = 'outside:' || p.provider"
    " AND a.currency = p.currency) ON CONFLICT DO NOTHING"
)
# What settling it moves, so that nothing but the missing release stands in the way.
_SETTLE = (
    "INSERT INTO ledger_transfer (key, kind, source_id, destination_id, currency, amount_micros, made_at)"
    " SELECT 'payout:' || p.public_id || ':end', 'torture', s.id, d.id, p.currency, p.amount_micros, market_now()"
    " FROM payouts_payout p"
    " JOIN ledger_account s ON s.address = 'worker:' || p.holder || ':withdrawing' AND s.currency = p.currency"
    " JOIN ledger_account d ON d.address = 'outside:' || p.provider AND d.currency = p.currency"
    " WHERE p.id = %(payout)s"
)

_ACT = (
    "INSERT INTO accounts_act (act, via, subject, subject_id, why, request_id, made_at)"
    " VALUES ('money.torture', 'torture', 'torture', 'torture', '', 'torture', market_now() {ago})"
)
_OLD_ACT = _ACT.format(ago="- interval '1 d'")
_LAST_SEAL = "WHERE seq = (SELECT max(seq) FROM accounts_actseal)"
# name → (role, what is legal and leads up to it, the forbidden step). Each runs in a transaction that is rolled back.
ATTACKS: dict[str, tuple[str, list[str], str]] = {
    "prolong_a_ticket": (
        "app",
        [_TICKET],
        "UPDATE accounts_ticket SET expires_at = market_now() + interval '1 h' WHERE digest = 'torture'",
    ),
    "read_beyond_what_has_ended": (
        "app",
        [],
        "UPDATE common_outboxcursor SET xid = pg_current_xact_id(), last_id = 0 WHERE reader = 'streams'",
    ),
    "number_a_stream_anew": ("app", [], "UPDATE streams_stream SET seq = seq + 1"),
    "take_a_place_twice": ("app", [_lease()], _lease(worker="other_worker")),
    "answer_a_task_twice": ("app", [_lease()], _lease(place=2, number=2)),
    "take_a_place_beyond_overlap": ("app", [], _lease(place=3)),
    "count_beyond_overlap": ("owner", [], "UPDATE batches_task SET taken = overlap + 1 WHERE id = %(task)s"),
    "hold_more_leases_than_the_cap": ("app", [], _lease(number=99)),
    "use_a_lease_number_twice": ("app", [_lease()], _lease(task="other_task")),
    "submit_after_the_end": ("app", [_ENDED], _SUBMIT),
    "date_a_submission_back": (
        "app",
        [_ENDED],
        _SUBMIT.replace("submitted_at = market_now()", "submitted_at = market_now() - interval '100 s'"),
    ),
    "extend_an_ended_lease": (
        "app",
        [_ENDED],
        f"UPDATE assignments_assignment SET lease_until = market_now() + interval '1 h' {_MINE}",
    ),
    "skip_the_submission": ("app", [_lease()], f"UPDATE assignments_assignment SET state = 'accepted' {_MINE}"),
    "extend_beyond_the_limit": (
        "app",
        [_lease()],
        f"UPDATE assignments_assignment SET lease_until = market_now() + interval '30 d' {_MINE}",
    ),
    "change_a_token": ("app", [_lease()], f"UPDATE assignments_assignment SET token = gen_random_uuid() {_MINE}"),
    "work_under_two_accounts": (
        "owner",
        [_LINK, _lease()],
        _lease(worker="other_worker", place=2, number=2),
    ),
    "take_what_is_quarantined": (
        "owner",
        ["UPDATE batches_task SET quarantined_at = market_now() WHERE id = %(task)s"],
        _lease(),
    ),
    "work_under_a_sanction": ("app", [_SANCTION], _lease()),
    "limit_without_evidence": ("app", [], _LIMIT.format(evidence="{}", by=_STAFF)),
    "limit_without_an_author": ("app", [], _LIMIT.format(evidence='{"n": 1}', by="NULL::bigint")),
    "shorten_a_sanction": (
        "owner",
        [_SANCTION],
        f"UPDATE accounts_sanction SET expires_at = market_now() + interval '1 s' {_SANCTIONED}",
    ),
    "take_a_lift_back": (
        "owner",
        [_SANCTION, f"UPDATE accounts_sanction SET lifted_at = market_now(), lift_reason = 'x' {_SANCTIONED}"],
        f"UPDATE accounts_sanction SET lifted_at = NULL, lift_reason = '' {_SANCTIONED}",
    ),
    "lift_ones_own_limit": (
        "app",
        [_SANCTION],
        "UPDATE accounts_sanction SET lifted_at = market_now(), lift_reason = 'x', lifted_by_id = user_id"
        f" {_SANCTIONED}",
    ),
    "delete_a_sanction": ("owner", [_SANCTION], f"DELETE FROM accounts_sanction {_SANCTIONED}"),
    "work_for_oneself": ("app", [], _lease(worker="own_worker")),
    "take_what_is_reserved": ("app", [], _lease(task="reserved_task", worker="other_worker")),
    "answer_without_submitting": ("app", [_lease()], _ANSWER),
    "rewrite_an_answer": (
        "owner",
        [_lease(), _SUBMIT, _ANSWER],
        "UPDATE assignments_answer SET values = '{}' WHERE assignment_id ="
        f" (SELECT id FROM assignments_assignment {_MINE})",
    ),
    "delete_an_answer": (
        "owner",
        [_lease(), _SUBMIT, _ANSWER],
        f"DELETE FROM assignments_answer WHERE assignment_id = (SELECT id FROM assignments_assignment {_MINE})",
    ),
    "delete_an_assignment": ("owner", [_lease()], f"DELETE FROM assignments_assignment {_MINE}"),
    "give_oneself_a_bonus": (
        "app",
        [],
        "INSERT INTO assignments_extra (batch_id, worker_id, kind, reference, amount_micros, fee_micros, reason,"
        " made_by_id, made_at)"
        " SELECT %(batch)s, %(worker)s, 'bonus', 'x', 5, 0, 'x', min(id), market_now() FROM accounts_user",
    ),
    "top_up_without_terms": ("app", [], "SELECT assignments_raise_pay(%(batch)s)"),
    "undo_a_rejection_without_a_reason": (
        "owner",
        [
            _lease(),
            _SUBMIT,
            _ANSWER,
            _REJECTION,
            _REJECT,
        ],
        f"UPDATE assignments_assignment SET state = 'upheld' {_MINE}",
    ),
    "reject_without_words": ("app", [_lease(), _SUBMIT, _ANSWER], _REJECT),
    "reject_by_a_review_that_is_none": (
        "app",
        [_lease(), _SUBMIT, _ANSWER],
        _REJECTION.replace("made_at)", "made_at, review_id)").replace("market_now() FROM", "market_now(), 1 FROM"),
    ),
    "return_for_repair_without_a_reason": (
        "app",
        [_lease(), _SUBMIT, _ANSWER],
        "UPDATE assignments_assignment SET state = 'leased', token = gen_random_uuid(), attempts = attempts + 1,"
        f" leased_at = market_now(), lease_until = market_now() + interval '60 s' {_MINE}",
    ),
    "undo_the_rejection_of_ones_own_answer": (
        "app",
        [_lease(), _SUBMIT, _ANSWER, _REJECTION, _REJECT],
        "INSERT INTO assignments_uphold (assignment_id, made_by_id, reason, made_at)"
        " SELECT id, (SELECT w.user_id FROM profiles_worker w WHERE w.id = worker_id), 'so', market_now()"
        f" FROM assignments_assignment {_MINE}",
    ),
    "refuse_an_appeal_alone": (
        "app",
        [
            _lease(),
            _SUBMIT,
            _ANSWER,
            _REJECTION,
            _REJECT,
            "INSERT INTO assignments_contest (assignment_id, batch_id, made_at) SELECT id, batch_id, market_now()"
            f" FROM assignments_assignment {_MINE}",
            "INSERT INTO appeals_appeal (worker_id, rejection_id, words, method, opened_at, refer_at, decide_by)"
            " SELECT worker_id, id, 'no', 'rework', market_now(), market_now(), market_now()"
            f" FROM assignments_assignment {_MINE}",
        ],
        "INSERT INTO appeals_step (appeal_id, kind, reason, made_at)"
        " SELECT max(id), 'refused', 'so', market_now() FROM appeals_appeal",
    ),
    "release_what_can_be_contested": (
        "app",
        [],
        "UPDATE assignments_reserve SET disputes_released_at = market_now() WHERE batch_id = %(batch)s",
    ),
    "settle_while_work_is_open": (
        "app",
        [_lease(), "UPDATE batches_batch SET state = 'closing' WHERE id = %(batch)s"],
        "UPDATE batches_batch SET state = 'settled', settled_at = market_now() WHERE id = %(batch)s",
    ),
    "make_a_payment_due_by_hand": (
        "owner",
        [_lease()],
        "INSERT INTO assignments_settlement (assignment_id, batch_id, worker_id, price_micros, fee_micros, due_at)"
        f" SELECT id, batch_id, worker_id, 1, 1, market_now() FROM assignments_assignment {_MINE}",
    ),
    "overdraw_an_account": (
        "app",
        [],
        _TRANSFER.format(
            key="overdraft",
            source="escrow",
            destination="funds",
            amount="(SELECT balance_micros + 1 FROM ledger_account WHERE id = %(escrow)s)",
        ),
    ),
    "pay_one_event_twice": ("app", [_PAY], _PAY),
    "post_by_hand": (
        "owner",
        [_PAY],
        "INSERT INTO ledger_posting (account_id, version, transfer_id, delta_micros, balance_after_micros)"
        " SELECT %(funds)s, 1000000000, id, 1, 1 FROM ledger_transfer WHERE key = 'torture:once'",
    ),
    "forge_a_balance": (
        "owner",
        [],
        "UPDATE ledger_account SET balance_micros = balance_micros + 1 WHERE id = %(funds)s",
    ),
    "change_a_transfer": ("owner", [_PAY], "UPDATE ledger_transfer SET amount_micros = 2 WHERE key = 'torture:once'"),
    "delete_a_transfer": ("owner", [_PAY], "DELETE FROM ledger_transfer WHERE key = 'torture:once'"),
    "add_a_task_to_a_published_batch": (
        "app",
        [],
        "INSERT INTO batches_task (id, batch_id, external_id, overlap)"
        " VALUES (nextval('batches_task_id_seq'), %(batch)s, 'late', 1)",
    ),
    "change_the_price": ("owner", [], "UPDATE batches_batch SET price_micros = 1 WHERE id = %(batch)s"),
    "raise_an_overlap": ("owner", [], "UPDATE batches_task SET overlap = overlap + 1 WHERE id = %(task)s"),
    "lower_an_overlap": ("owner", [], "UPDATE batches_task SET overlap = overlap - 1 WHERE id = %(task)s"),
    "add_places_without_their_money": (
        "app",
        ["SELECT assignments_more_places(%(batch)s, ARRAY[%(task)s]::bigint[], 1)"],
        "SET CONSTRAINTS ALL IMMEDIATE",
    ),
    "hold_answers_for_ever": (
        "app",
        [],
        "INSERT INTO assignments_hold (worker_id, batch_id, until, reason, firing_id, made_at)"
        " SELECT %(worker)s, %(batch)s, market_now() + interval '38 d', 'torture', 1, market_now()",
    ),
    "show_gold_beyond_its_cap": (
        "owner",
        [],
        "UPDATE batches_goldkey SET shown = cap + 1 WHERE task_id = %(gold_task)s",
    ),
    "show_gold_that_is_out_of_use": (
        "owner",
        ["UPDATE batches_goldkey SET state = 'retired' WHERE task_id = %(gold_task)s"],
        "UPDATE batches_goldkey SET shown = shown + 1 WHERE task_id = %(gold_task)s",
    ),
    "change_a_key_of_gold": (
        "owner",
        [],
        'UPDATE batches_goldkey SET key = \'{"label": "dog"}\' WHERE task_id = %(gold_task)s',
    ),
    "forget_a_commitment": ("owner", [], "DELETE FROM gold_commitment WHERE batch_id = %(batch)s"),
    "read_the_keys_of_gold": ("app", [], "SELECT key FROM batches_goldkey WHERE batch_id = %(batch)s"),
    "read_what_came_of_answers": ("app", [], "SELECT count(score) FROM reputation_outcome"),
    "change_a_finished_data_set": (
        "app",
        [_RUN, _DATASET],
        f"UPDATE results_dataset SET content_sha256 = 'y' {_DATASETS}",
    ),
    "add_to_a_finished_data_set": (
        "app",
        [_RUN, _DATASET],
        "INSERT INTO results_datasetpart (dataset_id, kind, path, stretch, number, body)"
        f" SELECT id, 'grown', 'late', 0, 0, 'x' FROM results_dataset {_DATASETS}",
    ),
    "delete_a_data_set": ("owner", [_RUN, _DATASET], f"DELETE FROM results_dataset {_DATASETS}"),
    "rewrite_a_settled_label": (
        "owner",
        [_ruling()],
        'UPDATE results_adjudication SET values = \'{"label": "dog"}\' WHERE task_id = %(task)s AND number = 32000',
    ),
    "settle_a_label_of_another_batch": ("app", [], _ruling(batch="other_batch")),
    "settle_a_label_by_another_tasks_answer": (
        "app",
        [_lease(), _SUBMIT, _ANSWER],
        _ruling(task="other_task", answer=_MY_ANSWER),
    ),
    "settle_a_label_by_an_answer_that_is_not_paid": (
        "app",
        [_lease(), _SUBMIT, _ANSWER, _REJECTION, _REJECT],
        _ruling(answer=_MY_ANSWER),
    ),
    "prolong_a_link": (
        "owner",
        [_RUN, _DATASET, _LINK_OUT],
        f"UPDATE results_datasetlink SET expires_at = expires_at + interval '1 d' {_LINKED}",
    ),
    "open_an_ended_link_again": (
        "app",
        [_RUN, _DATASET, _LINK_OUT, f"UPDATE results_datasetlink SET ended_at = market_now() {_LINKED}"],
        f"UPDATE results_datasetlink SET ended_at = NULL {_LINKED}",
    ),
    "forget_that_a_link_was_used": (
        "app",
        [_RUN, _DATASET, _LINK_OUT, f"UPDATE results_datasetlink SET used_at = market_now() {_LINKED}"],
        f"UPDATE results_datasetlink SET used_at = NULL {_LINKED}",
    ),
    "delete_a_link": ("owner", [_RUN, _DATASET, _LINK_OUT], f"DELETE FROM results_datasetlink {_LINKED}"),
    "leave_an_organisation_without_an_owner": (
        "app",
        [],
        "UPDATE accounts_member SET role = 'viewer' WHERE requester_id = %(requester)s",
    ),
    "remove_the_last_owner": ("app", [], "DELETE FROM accounts_member WHERE requester_id = %(requester)s"),
    "invite_to_somebody_elses_organisation": ("app", [], _INVITE.format(by="%(person)s")),
    "open_an_ended_invitation_again": (
        "app",
        [_INVITE.format(by=_OWNER), f"UPDATE accounts_memberinvitation SET ended_at = market_now() {_INVITED}"],
        f"UPDATE accounts_memberinvitation SET ended_at = NULL {_INVITED}",
    ),
    "release_ones_own_run": ("app", [], _RELEASE.format(by="first_staff")),
    "release_a_run_without_the_role": ("app", [], _RELEASE.format(by="other_person")),
    "release_a_run_that_pays_oneself": (
        "app",
        ["SELECT grant_staff(%(person)s, 'finance', %(first_staff)s)"],
        _RELEASE.format(by="person"),
    ),
    "release_a_run_that_pays_another_account_of_ones_own": (
        "owner",
        [_LINK, "SELECT grant_staff(%(other_person)s, 'finance', %(first_staff)s)"],
        _RELEASE.format(by="other_person"),
    ),
    "credit_ones_own_organisation": ("app", [_PAID_IN], _DEPOSIT),
    "release_a_run_of_which_something_has_ended": (
        "app",
        ["UPDATE payouts_payout SET state = 'failed', reason = 'torture' WHERE id = %(payout)s"],
        _RELEASE.format(by="second_staff"),
    ),
    "settle_what_nobody_released": (
        "app",
        [_OUTSIDE, _SETTLE],
        "UPDATE payouts_payout SET state = 'settled' WHERE id = %(payout)s",
    ),
    "give_a_role_beside_the_log": (
        "owner",
        [],
        "INSERT INTO accounts_staffrole (user_id, role) VALUES (%(person)s, 'quality')",
    ),
    "take_a_role_beside_the_log": (
        "owner",
        [],
        "DELETE FROM accounts_staffrole WHERE user_id = %(second_staff)s AND role = 'superuser'",
    ),
    "give_a_role_without_having_one": ("app", [], "SELECT grant_staff(%(other_person)s, 'support', %(person)s)"),
    "give_oneself_a_role": ("app", [], "SELECT grant_staff(%(first_staff)s, 'quality', %(first_staff)s)"),
    "give_a_role_as_the_console_does": (
        "app",
        ["SET LOCAL ROLE touchstone_runtime"],
        "SELECT accounts_give_role(%(person)s, 'superuser', NULL, '')",
    ),
    "write_an_act_beside_its_function": (
        "app",
        ["SET LOCAL ROLE touchstone_runtime"],
        _ACT.format(ago=""),
    ),
    # It is dated anew and not refused; so the division fails where no row has kept the time that it was given.
    "date_an_act_back": (
        "owner",
        [],
        f"WITH made AS ({_OLD_ACT} RETURNING made_at)"
        " SELECT 1 / count(*) FROM made WHERE made_at < market_now() - interval '1 h'",
    ),
    "rewrite_an_act": (
        "owner",
        [],
        "UPDATE accounts_act SET why = 'torture' WHERE id = (SELECT max(id) FROM accounts_act)",
    ),
    "delete_an_act": ("owner", [], "DELETE FROM accounts_act WHERE id = (SELECT max(id) FROM accounts_act)"),
    "rewrite_a_seal_of_the_log": ("owner", [], f"UPDATE accounts_actseal SET hash = leaf {_LAST_SEAL}"),
    "seal_an_act_by_hand": (
        "owner",
        [],
        "INSERT INTO accounts_actseal (seq, act_id, leaf, hash)"
        f" SELECT seq + 1, act_id, leaf, leaf FROM accounts_actseal {_LAST_SEAL}",
    ),
    "move_the_head_of_the_log": ("owner", [], "UPDATE accounts_acthead SET seq = seq + 1"),
    "judge_an_answer_twice": ("app", [_JUDGE], _JUDGE),
    "rewrite_a_judgement": ("owner", [_JUDGE], "UPDATE reputation_outcome SET score = 1 WHERE batch_id = %(batch)s"),
}

STREAMS = (
    "SELECT w.public_id::text, e.seq, e.kind, extract(epoch FROM e.stored_at)::float8 FROM streams_entry e"
    " JOIN profiles_worker w ON e.stream = 'worker:' || w.id WHERE w.public_id = ANY(%s::uuid[])"
)

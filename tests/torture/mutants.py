"""Named mutations: each takes one wall down, and the rig must notice within a minute. A new one is an entry below.

A mutation is made of statements (run as the superuser in the scratch database), of changed functions of the database,
and of changed modules of the program. Patterns are regular expressions that must occur exactly once in what they
change; `tests/torture_tests` checks that they still do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Change = tuple[str, str, str]  # where, pattern, replacement
PROCESSES = ("web", "live", "relay", "worker", "beat")


@dataclass(frozen=True)
class Mutant:
    """One wall taken down. `lets` names the attacks that get through without it: a test shows that these do, and of
    all that are named by any mutant no others. Processes that do not run what is changed in `sources` are not in
    `runs_in`, and go on as they are. `late` names the work that waits because of it; late work tells of no other."""

    name: str
    sentence: str
    statements: Sequence[str] = ()
    functions: Sequence[Change] = ()
    sources: Sequence[Change] = ()
    kills_postgres: bool = False
    lets: Sequence[str] = ()
    runs_in: Sequence[str] = PROCESSES
    late: Sequence[str] = ()


def _hollow(table: str, trigger: str) -> list[str]:
    """The trigger is there, as those who look for it want it, and never fires."""
    return [
        f"DROP TRIGGER {trigger} ON {table}",
        f"CREATE TRIGGER {trigger} BEFORE UPDATE ON {table} FOR EACH ROW WHEN (false) EXECUTE FUNCTION append_only()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}",
    ]


# One look at the table of steps, places and money that the database keeps by itself …
STEP = "assignments_step"
EFFECTS = "assignments_effects"
SUBMIT = "assignments_submit"
CURSOR_STEP = "common_cursor_step"
CLAIM = "assignments_claim"
POST = "ledger_post"
# … and at the program's own part.
TRANSACTIONS = "marketplace.common.transactions"
OUTBOX = "marketplace.common.outbox"
DECIDE = "workers.assignments.commands.decide"
PAY = "workers.assignments.commands.pay"
SCORE = "workers.gold.tasks"
MORE_PLACES = "workers.assignments.commands.more_places"
SEAL = "marketplace.ledger.tasks"
QUERIES = "marketplace.batches.queries"
READER = "workers.live.reader"
FOLLOWING = "workers.live.following"
DATASETS = "marketplace.results.queries.datasets"
SEALING = "marketplace.results.commands.sealing"
ASK = "marketplace.results.commands.datasets"
RELEASE = "assignments_free_places"
PICK_GOLD = "assignments_pick_gold"
GOLD_NEAR = "assignments_gold_near"
RELEASED = "payouts_release_begin"
SAME_PERSON = "accounts_same_person"
FITS = "results_adjudication_fits"
LINK_STEP = "results_link_step"
GRANTER = "accounts_require_granter"
INVITATION_STEP = "accounts_memberinvitation_step"

_ALL = [
    Mutant(
        "fact_dropped",
        "One fact in seven is not pushed to sockets.",
        sources=[
            (
                READER,
                r"follower\.connection\.push\(texts\[key\]\)",
                "entry.seq % 7 == 0 or follower.connection.push(texts[key])",
            )
        ],
        runs_in=("live",),
    ),
    Mutant(
        "resume_skips",
        "Who comes back is told one fact too few.",
        sources=[
            (FOLLOWING, r"self\._follow\(stream, seqs\[stream\] or 0,", "self._follow(stream, (seqs[stream] or 0) + 1,")
        ],
        runs_in=("live",),
    ),
    Mutant(
        "tickets_last",
        "A ticket may be made to open sockets for longer than its 30 s.",
        statements=["GRANT UPDATE ON accounts_ticket TO touchstone_runtime"],
    ),
    Mutant(
        "streams_open",
        "The program may write the numbers of streams by itself.",
        statements=["GRANT UPDATE ON streams_stream TO touchstone_runtime"],
    ),
    Mutant(
        "reader_unbound",
        "A reader may be moved beyond events of transactions that still run.",
        statements=["DROP TRIGGER cursor_step ON common_outboxcursor"],
    ),
    Mutant(
        "place_index",
        "Two live assignments may hold the same place of a task.",
        statements=["DROP INDEX one_live_assignment_per_place"],
    ),
    Mutant(
        "one_per_worker",
        "A worker may hold a task twice.",
        statements=[
            "ALTER TABLE assignments_assignment DROP CONSTRAINT one_assignment_per_worker",
            "ALTER TABLE assignments_assignment DROP CONSTRAINT one_assignment_per_person",
        ],
    ),
    Mutant(
        "linked_accounts",
        "Two accounts of one person may work on a task.",
        statements=["ALTER TABLE assignments_assignment DROP CONSTRAINT one_assignment_per_person"],
        functions=[(STEP, r"IF terms\.linked AND EXISTS", "IF false AND EXISTS")],
    ),
    Mutant(
        "taken_check",
        "A task may count more live assignments than its overlap.",
        statements=["ALTER TABLE batches_task DROP CONSTRAINT task_taken"],
    ),
    Mutant(
        "place_bound",
        "A place beyond the overlap may be leased.",
        functions=[(STEP, r"IF NEW\.place > terms\.overlap THEN", "IF false THEN")],
    ),
    Mutant(
        "lease_numbers",
        "A lease number may be used twice, so the cap on leases counts nothing.",
        statements=["DROP INDEX lease_numbers"],
    ),
    Mutant(
        "fence_in_trigger",
        "The database takes a submission after the end of its lease.",
        functions=[(STEP, r"IF OLD\.lease_until <= NEW\.submitted_at THEN", "IF false THEN")],
    ),
    Mutant(
        "step_table",
        "A leased place may be accepted without a submission.",
        functions=[(STEP, r"\('leased', 'submitted'\),", "('leased', 'submitted'), ('leased', 'accepted'),")],
    ),
    Mutant(
        "lease_max",
        "A lease may be extended without end.",
        functions=[
            (
                STEP,
                r"IF NEW\.lease_until > NEW\.leased_at (\+ make_interval\(secs => \(SELECT)",
                r"IF NULL > NEW.leased_at \1",
            )
        ],
    ),
    Mutant(
        "quarantine_open",
        "A task in quarantine may be taken.",
        functions=[(STEP, r"IF terms\.quarantined_at IS NOT NULL AND", "IF false AND")],
    ),
    Mutant(
        "poison_spins",
        "Nobody counts how many workers gave a task up.",
        functions=[(EFFECTS, r"attempts = least\(attempts \+ gave_up::int, 32767\)", "attempts = attempts")],
    ),
    Mutant(
        "refund_forgotten",
        "A place of a task in quarantine is not refunded.",
        statements=["DROP TRIGGER refund_due ON batches_task"],
    ),
    Mutant(
        "sanctions_ignored",
        "Nobody looks at sanctions before a new lease.",
        functions=[
            (STEP, r"IF terms\.sanctioned AND", "IF false AND"),
            (CLAIM, r"IF terms\.watched AND", "IF false AND"),
        ],
    ),
    Mutant(
        "sanctions_open",
        "A sanction may be rewritten.",
        statements=["DROP TRIGGER sanction_step ON accounts_sanction"],
    ),
    Mutant(
        "own_work",
        "Members of an organisation may work on its batches.",
        functions=[(STEP, r"IF terms\.own THEN", "IF false THEN")],
    ),
    Mutant(
        "queue_not_refilled",
        "A place that opens again does not return to the queue.",
        functions=[(EFFECTS, r"ELSIF task\.taken = task\.overlap - 1 OR", "ELSIF false AND")],
    ),
    Mutant(
        "counters_not_written",
        "Progress does not count what was submitted.",
        functions=[(EFFECTS, r"\(NEW\.state = 'submitted'\)::int - ", "0 * (NEW.state = 'submitted')::int - ")],
    ),
    Mutant(
        "settlement_not_due",
        "An accepted answer does not become due for payment.",
        functions=[(EFFECTS, r"IF NEW\.state IN \('accepted', 'upheld'\) THEN", "IF false THEN")],
    ),
    Mutant(
        "early_settlement",
        "A batch may settle while work is open or unpaid.",
        statements=["DROP TRIGGER batch_may_settle ON batches_batch"],
    ),
    Mutant(
        "answers_open",
        "Stored answers may be rewritten.",
        statements=["DROP TRIGGER closed ON assignments_answer"],
    ),
    Mutant(
        "transfers_open",
        "Posted transfers may be changed.",
        statements=["DROP TRIGGER closed ON ledger_transfer"],
    ),
    Mutant(
        "seals_open",
        "The chain of seals may be rewritten.",
        statements=["DROP TRIGGER closed ON ledger_seal"],
    ),
    Mutant(
        "never_sealed",
        "Transfers are never sealed.",
        sources=[(SEAL, r"sealed = seal\(\)", "sealed = 0")],
        runs_in=("worker",),
        late=("unsealed",),
    ),
    Mutant(
        "transfer_key",
        "One event may be paid twice.",
        statements=["ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_key_key"],
    ),
    Mutant(
        "overdraft",
        "Nothing keeps an account from going below zero.",
        statements=["ALTER TABLE ledger_account DROP CONSTRAINT no_overdraft"],
        functions=[(POST, r"WHERE p\.balance_after_micros < 0 AND", "WHERE false AND")],
    ),
    Mutant(
        "balances",
        "A balance is one unit more than its postings say.",
        functions=[
            (
                POST,
                r"SET balance_micros = a\.balance_micros \+ s\.delta",
                "SET balance_micros = a.balance_micros + s.delta + 1",
            )
        ],
    ),
    Mutant(
        "gold_cap",
        "Gold may be shown more often than its cap allows.",
        statements=["ALTER TABLE batches_goldkey DROP CONSTRAINT gold_exposure_cap"],
    ),
    Mutant(
        "gold_unbounded",
        "Gold is picked and counted whatever its cap is.",
        statements=["ALTER TABLE batches_goldkey DROP CONSTRAINT gold_exposure_cap"],
        functions=[
            (PICK_GOLD, r"AND shown < cap;", ";"),
            (GOLD_NEAR, r"AND g\.shown < g\.cap(\s+AND g\.origin)", r"\1"),
            (GOLD_NEAR, r"AND g\.shown < g\.cap(\s+AND g\.lane)", r"\1"),
        ],
    ),
    Mutant(
        "gold_retired",
        "A key that was retired is picked and counted.",
        statements=["DROP TRIGGER key_step ON batches_goldkey"],
        functions=[
            (PICK_GOLD, r"AND state = 'live' AND shown < cap;", "AND shown < cap;"),
            (GOLD_NEAR, r"AND g\.state = 'live' AND g\.shown < g\.cap(\s+AND g\.origin)", r"\1"),
            (GOLD_NEAR, r"AND g\.state = 'live' AND g\.shown < g\.cap(\s+AND g\.lane)", r"\1"),
        ],
    ),
    Mutant(
        "gold_readable",
        "The program may read the keys of gold.",
        statements=["GRANT SELECT ON batches_goldkey TO touchstone_app"],
    ),
    Mutant(
        "synchronous_commit",
        "An answer is acknowledged before it is on disk.",
        sources=[
            ("marketplace.settings.base", "-c synchronous_commit=on", "-c synchronous_commit=off"),
            ("marketplace.common.durability", r'\("on", "remote_apply"\)', '("off",)'),
        ],
        kills_postgres=True,
    ),
    Mutant(
        "token_check",
        "A submission is taken whatever its token.",
        functions=[(SUBMIT, r"AND a\.token = p_tokens\[item\]", "")],
    ),
    Mutant(
        "body_hash",
        "A key may be used again for another request.",
        sources=[(TRANSACTIONS, r"if bytes\(row\[0\]\) != body_hash:", "if False:")],
        runs_in=("web", "live"),
    ),
    Mutant(
        "answers_not_kept",
        "What a request was answered is not kept, so a repeat runs again.",
        sources=[(TRANSACTIONS, r"if key is None:", "if True:")],
        runs_in=("web", "live"),
    ),
    Mutant(
        "rolled_back",
        "Now and then a transaction is rolled back and answered all the same.",
        sources=[
            (
                TRANSACTIONS,
                r"\n( +)yield first\n",
                r"\n\1yield first\n\1transaction.set_rollback(key[-1] in '07')\n",
            )
        ],
        runs_in=("web", "live"),
    ),
    Mutant(
        "horizon",
        "Events are read without waiting for older transactions, and nothing holds a reader back.",
        # The database's own wall alone would make readers fail and try again, and nothing would be lost.
        functions=[(CURSOR_STEP, r"IF NEW\.xid >= pg_snapshot_xmin\(pg_current_snapshot\(\)\) THEN", "IF false THEN")],
        sources=[(OUTBOX, r'"AND e\.xid < pg_snapshot_xmin\(pg_current_snapshot\(\)\)"', '""')],
        late=("outbox", "streams", "webhooks", "consensus"),
    ),
    Mutant(
        "answers_untold",
        "Nobody is told of answers, and nothing asks for it.",
        statements=["DROP TRIGGER told_step ON assignments_assignment"],
        functions=[(SUBMIT, r"FOREACH batch IN ARRAY batches LOOP", "FOREACH batch IN ARRAY '{}'::bigint[] LOOP")],
    ),
    Mutant(
        "payments_untold",
        "Nobody is told of payments, and nothing asks for it.",
        statements=["DROP TRIGGER told ON assignments_settlement"],
        sources=[(PAY, r"for of_batch in sorted\(\{row\[1\] for row in due\}\):", "for of_batch in []:")],
        runs_in=("web", "live", "worker"),
    ),
    Mutant(
        "money_untold",
        "Money moves and nobody is told.",
        statements=["DROP TRIGGER announced ON ledger_transfer"],
    ),
    Mutant(
        "never_expires",
        "Leases that ran out are not taken back.",
        sources=[(DECIDE, r"expired = overdue_leases\(batch_id, limit\)", "expired: list[int] = []")],
        runs_in=("web", "live", "worker"),
        late=("lease",),
    ),
    Mutant(
        "score_dropped",
        "Answers are never scored.",
        sources=[(SCORE, r"commands\.score_due\(run_id=run_id\)", "pass")],
        runs_in=("worker",),
        late=("to_score",),
    ),
    Mutant(
        "judged_twice",
        "An answer may be judged twice.",
        statements=["DROP INDEX outcome_once"],
    ),
    Mutant(
        "outcomes_readable",
        "The program may read what came of answers, and so which were gold.",
        statements=["GRANT SELECT ON reputation_outcome TO touchstone_app"],
    ),
    Mutant(
        "outcomes_open",
        "What came of an answer may be rewritten.",
        statements=["DROP TRIGGER closed ON reputation_outcome"],
    ),
    Mutant(
        "not_folded",
        "What an answer was judged does not count in what is known of its worker.",
        sources=[("workers.reputation.commands.outcomes", r"held\.tally = counted\(", "_ = counted(")],
        runs_in=("worker",),
    ),
    Mutant(
        "datasets_rewritable",
        "A version of a data set may be changed after it is done.",
        statements=[
            "DROP TRIGGER dataset_step ON results_dataset",
            "DROP TRIGGER dataset_part ON results_datasetpart",
        ],
    ),
    Mutant(
        "labels_resettled",
        "What somebody settled a label with may be rewritten.",
        statements=["DROP TRIGGER closed ON results_adjudication"],
        lets=["rewrite_a_settled_label"],
    ),
    Mutant(
        "settled_elsewhere",
        "A label may be settled in the name of another batch.",
        functions=[(FITS, r"t\.id = NEW\.task_id AND t\.batch_id = NEW\.batch_id", "t.id = NEW.task_id")],
        lets=["settle_a_label_of_another_batch"],
    ),
    Mutant(
        "settled_by_another",
        "A label may be settled by the answer to another task.",
        functions=[(FITS, r"a\.id = NEW\.answer_id AND a\.task_id = NEW\.task_id", "a.id = NEW.answer_id")],
        lets=["settle_a_label_by_another_tasks_answer"],
    ),
    Mutant(
        "settled_unpaid",
        "A label may be settled by an answer that was rejected.",
        functions=[(FITS, r"\('submitted', 'accepted', 'upheld'\)", "('submitted', 'accepted', 'upheld', 'rejected')")],
        lets=["settle_a_label_by_an_answer_that_is_not_paid"],
    ),
    Mutant(
        "links_prolonged",
        "A link to a data set may be made to work for longer.",
        functions=[(LINK_STEP, r"OR to_jsonb\(NEW\).*?<> to_jsonb\(OLD\) - '[^']*'::text\[\]", "")],
        lets=["prolong_a_link"],
    ),
    Mutant(
        "links_reopened",
        "A link that was ended may be opened again.",
        functions=[(LINK_STEP, r"OR OLD\.ended_at IS NOT NULL", "")],
        lets=["open_an_ended_link_again"],
    ),
    Mutant(
        "links_unused",
        "That a link was used may be forgotten.",
        functions=[(LINK_STEP, r"OR OLD\.used_at IS NOT NULL AND .*? THEN", "THEN")],
        lets=["forget_that_a_link_was_used"],
    ),
    Mutant(
        "links_deleted",
        "A link may go without a trace.",
        functions=[
            (
                LINK_STEP,
                r"TG_OP = 'DELETE' OR (.*?) THEN(.*)RETURN NEW;",
                r"TG_OP <> 'DELETE' AND (\1) THEN\2RETURN coalesce(NEW, OLD);",
            )
        ],
        lets=["delete_a_link"],
    ),
    Mutant(
        "last_owner_goes",
        "An organisation may be left without an owner.",
        functions=[("accounts_member_owner", r"IF NOT EXISTS", "IF false AND NOT EXISTS")],
        lets=["leave_an_organisation_without_an_owner", "remove_the_last_owner"],
    ),
    Mutant(
        "invited_by_anybody",
        "Anybody may ask people into an organisation.",
        functions=[(INVITATION_STEP, r"AND m\.user_id = NEW\.made_by_id AND m\.role = 'owner'", "")],
        lets=["invite_to_somebody_elses_organisation"],
    ),
    Mutant(
        "invitations_reopened",
        "An invitation that has ended may be opened again.",
        functions=[(INVITATION_STEP, r"IF TG_OP = 'UPDATE' AND OLD\.ended_at IS NOT NULL THEN", "IF false THEN")],
        lets=["open_an_ended_invitation_again"],
    ),
    Mutant(
        "released_by_its_maker",
        "Whoever made a run of payouts may release it himself.",
        functions=[(RELEASED, r"AND accounts_same_person\(r\.made_by_id, NEW\.made_by_id\)", "AND false")],
        lets=["release_ones_own_run"],
    ),
    Mutant(
        "released_by_anybody",
        "Anybody may release a run of payouts.",
        functions=[(RELEASED, r"NOT accounts_has_role\(NEW\.made_by_id, '\{finance\}'\)", "false")],
        lets=["release_a_run_without_the_role"],
    ),
    Mutant(
        "released_by_its_payee",
        "Whom a run of payouts pays may release it.",
        functions=[(RELEASED, r"WHERE accounts_same_person\(paid\.user_id, NEW\.made_by_id\)", "WHERE false")],
        lets=["release_a_run_that_pays_oneself", "release_a_run_that_pays_another_account_of_ones_own"],
    ),
    Mutant(
        "two_accounts_two_people",
        "Two accounts count as two people, although they are linked.",
        functions=[
            (SAME_PERSON, r"ON w\.person_id = o\.person_id", "ON false"),
            (SAME_PERSON, r"ON k\.link_id = l\.link_id", "ON false"),
        ],
        lets=["release_a_run_that_pays_another_account_of_ones_own"],
    ),
    Mutant(
        "own_deposits",
        "A member of the staff may credit money to an organisation of his own.",
        functions=[("billing_deposit_by_another", r"IF accounts_has_part", "IF false AND accounts_has_part")],
        lets=["credit_ones_own_organisation"],
    ),
    Mutant(
        "released_after_its_end",
        "A run may be released although some of its money is back.",
        functions=[(RELEASED, r"AND p\.state <> 'sent'", "AND false")],
        lets=["release_a_run_of_which_something_has_ended"],
    ),
    Mutant(
        "settled_unreleased",
        "A payout may be settled in a run that nobody released.",
        functions=[("payouts_settled_when_released", r"IF NOT EXISTS", "IF false AND NOT EXISTS")],
        lets=["settle_what_nobody_released"],
    ),
    Mutant(
        "roles_unlogged",
        "A role of the staff may come and go without a row in the audit log.",
        functions=[("accounts_staffrole_logged", r"IF NOT EXISTS", "IF false AND NOT EXISTS")],
        lets=["give_a_role_beside_the_log", "take_a_role_beside_the_log"],
    ),
    Mutant(
        "roles_by_anybody",
        "Who has no role himself may give one.",
        functions=[(GRANTER, r"NOT accounts_has_role\(p_by, '\{superuser\}'\)", "false")],
        lets=["give_a_role_without_having_one"],
    ),
    Mutant(
        "roles_to_oneself",
        "A superuser may give himself roles.",
        functions=[(GRANTER, r"OR p_by = p_user", "")],
        lets=["give_oneself_a_role"],
    ),
    Mutant(
        "upheld_by_oneself",
        "Staff may undo the rejection of an answer of their own.",
        functions=[("assignments_uphold_by", r"IF EXISTS", "IF false AND EXISTS")],
        lets=["undo_the_rejection_of_ones_own_answer"],
    ),
    Mutant(
        "lifted_by_oneself",
        "Staff may lift what limits themselves.",
        functions=[("accounts_sanction_step", r"IF accounts_same_person", "IF false AND accounts_same_person")],
        lets=["lift_ones_own_limit"],
    ),
    Mutant(
        "console_open",
        "The program may give roles as only the console of the server does.",
        statements=[
            "GRANT EXECUTE ON FUNCTION accounts_give_role(bigint, text, bigint, text) TO touchstone_runtime",
        ],
        lets=["give_a_role_as_the_console_does"],
    ),
    Mutant(
        "log_writable",
        "The program may write the audit log beside its function.",
        statements=["GRANT INSERT ON accounts_act TO touchstone_runtime"],
        lets=["write_an_act_beside_its_function"],
    ),
    Mutant(
        "log_dated",
        "Whoever writes a row of the audit log chooses its time.",
        functions=[("accounts_act_own", r"NEW\.made_at := public\.market_now\(\);", "")],
        lets=["date_an_act_back"],
    ),
    Mutant(
        "log_open",
        "Rows of the audit log may be rewritten.",
        statements=_hollow("accounts_act", "closed"),
        lets=["rewrite_an_act"],
    ),
    Mutant(
        "log_seals_open",
        "Seals of the audit log may be rewritten.",
        statements=_hollow("accounts_actseal", "closed"),
        lets=["rewrite_a_seal_of_the_log"],
    ),
    Mutant(
        "log_sealed_by_hand",
        "Anything may be sealed into the audit log, and a row of it twice.",
        statements=[
            *_hollow("accounts_actseal", "seal_by_trigger"),
            "ALTER TABLE accounts_actseal DROP CONSTRAINT accounts_actseal_act_id_key",
        ],
        lets=["seal_an_act_by_hand"],
    ),
    Mutant(
        "log_head_open",
        "The end of the audit log may be moved.",
        statements=_hollow("accounts_acthead", "head_by_trigger"),
        lets=["move_the_head_of_the_log"],
    ),
    Mutant(
        "log_unsealed",
        "Rows of the audit log are not sealed.",
        functions=[("accounts_act_seal", r"BEGIN\n", "BEGIN\n    RETURN NULL;\n")],
    ),
    Mutant(
        "rejected_exported",
        "Rejected answers are in data sets.",
        sources=[(DATASETS, r"IN \('accepted', 'upheld'\)", "IN ('accepted', 'upheld', 'rejected')")],
        runs_in=("worker",),
    ),
    Mutant(
        "datasets_differ",
        "A data set made again of the same is not the same bytes.",
        sources=[(SEALING, r'"form": FORM,', '"form": FORM, "number": it.number,')],
        runs_in=("worker",),
    ),
    Mutant(
        "numbers_skipped",
        "The versions of a data set are numbered with gaps.",
        sources=[(ASK, r"number=\(last or 0\) \+ 1", "number=(last or 0) + 2")],
        runs_in=("web",),
    ),
    Mutant(
        "half_imports_shown",
        "The tasks of an import that is not done are shown.",
        sources=[(QUERIES, r"l\.tasks - coalesce\(sum\(i\.tasks\), 0\)", "l.tasks")],
        runs_in=("web",),
    ),
    Mutant(
        "upheld_from_escrow",
        "An answer that was upheld is paid from the place of somebody else.",
        sources=[(PAY, r"disputes_of\(batch\) if from_disputes", "escrow_of(batch) if from_disputes")],
        runs_in=("web", "live", "worker"),
    ),
    Mutant(
        "released_too_much",
        "What is leased, undecided or unpaid is given back to the requester when a batch closes.",
        functions=[(RELEASE, r"- live\.places - due\.places", "")],
    ),
    Mutant(
        "upheld_without_reason",
        "A rejection may be undone without a reason.",
        statements=["DROP TRIGGER upheld_with_reason ON assignments_assignment"],
    ),
    Mutant(
        "rejected_in_silence",
        "An answer may be rejected without words and without a name.",
        statements=["DROP TRIGGER rejected_with_reason ON assignments_assignment"],
    ),
    Mutant(
        "review_skipped",
        "Any number of answers may be rejected without a review.",
        statements=["DROP TRIGGER rejections_wall ON assignments_rejection"],
    ),
    Mutant(
        "repaired_for_ever",
        "An answer may go back for repair again and again, without a reason.",
        statements=["DROP TRIGGER repair_with_reason ON assignments_assignment"],
    ),
    Mutant(
        "appeal_refused_alone",
        "An appeal may be refused by nobody and for nothing.",
        statements=["DROP TRIGGER step_step ON appeals_step"],
    ),
    Mutant(
        "disputes_given_back",
        "What lies aside for disputes may be given back at any time.",
        statements=["DROP TRIGGER reserve_step ON assignments_reserve"],
    ),
    Mutant(
        "overlap_for_nothing",
        "The overlap of a task may be changed by anybody who may write tasks.",
        statements=["DROP TRIGGER overlap_rises ON batches_task"],
    ),
    Mutant(
        "places_without_money",
        "Places are added to a running batch, and nobody looks whether their money came with them.",
        statements=["DROP TRIGGER more_places_held ON batches_moreplaces"],
        sources=[(MORE_PLACES, r"\n    move\(holds\)", "")],
        runs_in=("web",),
    ),
    Mutant(
        "payouts_unguarded",
        "Nothing holds the state of a payout and its transfers together.",
        statements=["DROP TRIGGER agree ON payouts_payout", "DROP TRIGGER payouts_agree ON ledger_transfer"],
    ),
    Mutant(
        "paid_unmarked",
        "A payment is made and its settlement is not marked.",
        sources=[(PAY, r"SET settled_at = market_now\(\) WHERE", "SET settled_at = NULL WHERE")],
        runs_in=("web", "live", "worker"),
    ),
]

MUTANTS: dict[str, Mutant] = {mutant.name: mutant for mutant in _ALL}

"""Label real handwritten digits end to end with a simulated crowd that acts through the HTTP API of a Touchstone.

    TOUCHSTONE_STAFF_KEY=… python -m tests.crowd.demo --base-url http://127.0.0.1:8000 [--tasks N] [--seed N] [--json]

Exit 0: the ledger proves itself, no promise is broken and every place that could be filled was; 1: not so, or the
server refused; 2: the command line is wrong or scikit-learn is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.crowd import digits
from tests.crowd.client import BadAddress, Json, Problem, Session, Unreachable
from tests.crowd.crew import Member, Owner, PageWorker, open_requester, sign_in_workers, work
from tests.crowd.digits import FIELD, Digit, NoDigits
from tests.crowd.gallery.guests import Gallery, guests_wanted
from tests.crowd.people import Person, mixed_crowd
from tests.crowd.progress import Progress
from tests.crowd.proof import accuracy, duplicate_answers, euros, labels_of, overlap_exceeded, value_of
from tests.crowd.recording import NotInRecording, canonical
from tests.crowd.replay import Clock
from tests.crowd.settle import AcceptingAlongside, TooSlow, settle
from tests.crowd.taken_home import taken_home

RESIDENT = "Ada Okonkwo"
PRICE_MICROS = 20_000
CURRENCY = "EUR"
OVERLAP = 3
GOLD_SHARE = 0.08
QUALITY = {"preset": "balanced"}
GOLD_TERMS = {"min_share": 0.05, "max_share": 0.10, "probation": 20}
PAGE = 5
REST_S = 0.4  # a simulated worker rests this long after each page: people are slower than programs
THREADS = 8
SETTLE_LIMIT_S = 180.0
DATASET_LIMIT_S = 60.0
METHODS = ("majority", "dawid_skene")

Say = Callable[[str], None]


@dataclass(slots=True)
class Hired:
    """One simulated person with his account, and what the market came to think of him."""

    person: Person
    member: Member
    hands: PageWorker | None = None
    sanctions: list[Json] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """Whether a quality rule stopped him while he worked."""
        return self.hands is not None and self.hands.limited is not None

    @property
    def noticed(self) -> bool:
        """Whether any measure was ever taken: slowed down, checked more often, or stopped."""
        return self.stopped or bool(self.sanctions)


def unfilled(answered_by: Mapping[str, set[str]], tasks: Sequence[Digit], welcome: set[str]) -> tuple[int, int, int]:
    """(fillable, dry, gold): open places of regular tasks that a welcome worker could still fill, those that nobody
    could, and open places of gold tasks, which are handed out by schedule and not on demand."""
    fillable = dry = gold = 0
    for task in tasks:
        done = answered_by.get(task.external_id, set())
        left = max(0, OVERLAP - len(done))
        if task.gold:
            gold += left
            continue
        possible = min(left, len(welcome - done))
        fillable += possible
        dry += left - possible
    return fillable, dry, gold


def let_them_work(requester: Session, batch_id: str, crew: list[Hired], tasks: list[Digit]) -> None:
    """All claim and answer until the board is empty for everyone who is still welcome."""
    known = {canonical(task.data): task for task in tasks}
    labels = [str(digit) for digit in range(10)]

    def hands(hired: Hired, bar: Progress) -> PageWorker:
        def values_for(shown: Json) -> Json:
            task = known.get(canonical(shown["data"]))
            if task is None:
                raise NotInRecording("A worker was shown a picture that was not imported.")
            return {FIELD: hired.person.answer(task.external_id, task.truth, labels)}

        return PageWorker(
            hired.member.session,
            batch_id=batch_id,
            page=PAGE,
            values_for=values_for,
            expects_more=lambda: 1,
            on_stored=bar.advance,
            rest_s=REST_S,
        )

    with Progress("answers", OVERLAP * len(tasks)) as bar, AcceptingAlongside(requester, batch_id):
        for hired in crew:
            hired.hands = hands(hired, bar)
        stored = -1
        while stored != bar.done:  # a lease that one gave back or lost is work for those who had already ended
            stored = bar.done
            active = [hired.hands for hired in crew if hired.hands and not hired.stopped]
            for hand in active:
                hand.start_again()
            work(active, THREADS)


def crowd_table(crew: Sequence[Hired]) -> list[str]:
    """Who was there, what they answered, and whom the market noticed."""
    lines = [f"    {'kind':<10} {'people':>6} {'answers':>8} {'stopped':>8} {'noticed':>8}"]
    for kind in dict.fromkeys(hired.person.kind for hired in sorted(crew, key=lambda hired: not hired.person.honest)):
        these = [hired for hired in crew if hired.person.kind == kind]
        answers = sum(hired.hands.stored for hired in these if hired.hands)
        stopped, noticed = sum(hired.stopped for hired in these), sum(hired.noticed for hired in these)
        lines.append(f"    {kind:<10} {len(these):>6} {answers:>8} {stopped:>8} {noticed:>8}")
    return lines


@dataclass(slots=True)
class Stage:
    """Everybody and everything of one demo."""

    staff: Session
    owner: Owner
    crew: list[Hired]
    gallery: Gallery
    tasks: list[Digit]
    run: str
    say: Say
    batch_id: str = ""


def sign_everybody_in(base_url: str, staff_key: str, tasks: list[Digit], *, seed: int, say: Say) -> Stage:
    """Steps 1 and 2: the requester and the workers."""
    people = mixed_crowd(seed)
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(person.kind for person in people).items())
    say("The images and their true labels are real (handwritten digits from scikit-learn).")
    say(f"The crowd is SIMULATED: {len(people)} programs ({kinds}) act over HTTP as workers would.")
    say("")
    run, staff = secrets.token_hex(4), Session(base_url, staff_key)
    owner = open_requester(staff, name=f"Digit Archive {run}", run=run)
    say("1. Staff invited a requester, who founded the organisation Digit Archive.")
    # The last of them is the one by whom people sign in on the pages.
    names = [f"Simulated worker {number}" for number in range(1, len(people) + guests_wanted() + 1)] + [RESIDENT]
    with Progress("workers", len(names)) as bar:
        members = sign_in_workers(
            staff, names=names, requester_id=owner.requester_id, run=run, threads=THREADS, progress=bar
        )
    say(f"2. Staff invited {len(names)} workers; each accepted, signed in and introduced himself by a pseudonym.")
    crew = [Hired(person=person, member=member) for person, member in zip(people, members, strict=False)]
    guests, resident = members[len(people) : -1], members[-1]
    gallery = Gallery(owner.session, staff, resident=resident, guests=guests, run=run, seed=seed)
    return Stage(staff=staff, owner=owner, crew=crew, gallery=gallery, tasks=tasks, run=run, say=say)


def publish(stage: Stage) -> None:
    """Steps 3 to 5: the project, the import, the money."""
    requester, say = stage.owner.session, stage.say
    title = f"Handwritten digits {stage.run}"
    project = requester.create_project(stage.owner.requester_id, title, digits.interface(), digits.INSTRUCTIONS)
    requester.publish_version(project["id"], 1)
    say("3. The project asks one choice of ten labels, each with its definition and key; version 1 is published.")
    terms = {
        "name": "Handwritten digits",
        "price_micros": PRICE_MICROS,
        "currency": CURRENCY,
        "overlap": OVERLAP,
        "lease_cap": PAGE,
        "gold": GOLD_TERMS,
        "quality": QUALITY,
        "aggregation": {"method": "dawid_skene"},
    }
    stage.batch_id = str(requester.create_batch(project["id"], terms)["id"])
    imported = requester.import_rows(stage.batch_id, (task.row() for task in stage.tasks))
    say(f"4. Imported {imported['tasks']} tasks, {imported['gold']} of them hidden gold, for {OVERLAP} answers each.")
    cost = requester.estimate(stage.batch_id)
    if cost["missing_micros"]:
        stage.staff.deposit(stage.owner.requester_id, cost["missing_micros"], CURRENCY, f"demo {stage.run}")
    requester.publish_batch(stage.batch_id)
    say(
        f"5. The estimate was {euros(cost['total_micros'])} ({euros(cost['reward_micros'])} for the workers,"
        f" {euros(cost['fee_micros'])} fee, {euros(cost['disputes_micros'])} aside for disputes). It was deposited, and"
        " publishing holds it."
    )


def finish(stage: Stage) -> Json:
    """Step 7: settle, closing the batch if places are left that nobody takes. Returns the last progress."""
    requester = stage.owner.session
    before = requester.progress(stage.batch_id)
    left = before["places"] - before["accepted"] - before["submitted"]
    if left and before["state"] in {"published", "paused"}:
        stage.say(f"7. {left} places are open and nobody is left to take them: the requester closes the batch.")
        requester.close(stage.batch_id)
    else:
        stage.say("7. Every place is filled.")
    return settle(requester, stage.batch_id, price_micros=PRICE_MICROS, limit_s=SETTLE_LIMIT_S)


def answers_measured(stage: Stage, answers: list[Json]) -> Json:
    """What the exported answers show."""
    truth = {task.external_id: task.truth for task in stage.tasks}
    gold = {task.external_id for task in stage.tasks if task.gold}
    answered_by: dict[str, set[str]] = {}
    for row in answers:
        answered_by.setdefault(str(row["external_id"]), set()).add(str(row["worker"]))
    welcome = {hired.member.pseudonym for hired in stage.crew if not hired.stopped}
    fillable, dry, gold_open = unfilled(answered_by, stage.tasks, welcome)
    right = sum(value_of(row, FIELD) == truth[str(row["external_id"])] for row in answers)
    return {
        "tasks": len(stage.tasks),
        "tasks_complete": sum(len(done) >= OVERLAP for done in answered_by.values()),
        "answers": len(answers),
        "accuracy_answers": _share(right, len(answers)),
        "gold_share": _share(sum(str(row["external_id"]) in gold for row in answers), len(answers)),
        "places_open_fillable": fillable,
        "places_open_dry": dry,
        "places_open_gold": gold_open,
        "overlap_exceeded": overlap_exceeded(answers, dict.fromkeys(truth, OVERLAP)),
        "duplicate_answers": duplicate_answers(answers),
    }


def crowd_measured(crew: Sequence[Hired]) -> Json:
    """Whom the market noticed."""
    bad, good = [hired for hired in crew if not hired.person.honest], [hired for hired in crew if hired.person.honest]
    return {
        "workers": len(crew),
        "bad_workers": len(bad),
        "bad_workers_stopped": sum(hired.stopped for hired in bad),
        "bad_workers_noticed": sum(hired.noticed for hired in bad),
        "honest_workers": len(good),
        "honest_workers_noticed": sum(hired.noticed for hired in good),
    }


def results_measured(stage: Stage) -> Json:
    """Accuracy of each method over the tasks that got a result."""
    measured: Json = {}
    for method in METHODS:
        run_id = str(stage.owner.session.aggregate(stage.batch_id, method)["id"])
        labels = labels_of(stage.owner.session.export(stage.batch_id, "results", run_id), FIELD)
        truth = {task.external_id: task.truth for task in stage.tasks if task.external_id in labels}
        measured |= {f"accuracy_{method}": accuracy(labels, truth), "tasks_with_result": len(truth)}
    return measured


def demo(base_url: str, staff_key: str, tasks: list[Digit], *, seed: int, say: Say) -> Json:
    """The whole demo; returns what was measured. Raises `Problem`, `Unreachable`, `TooSlow`, `NotInRecording`."""
    clock = Clock()
    with clock.phase("sign_in"):
        stage = sign_everybody_in(base_url, staff_key, tasks, seed=seed, say=say)
    with clock.phase("publish"):
        publish(stage)
    with stage.gallery.alongside():
        with clock.phase("work"):
            say(f"6. The crowd works in pages of {PAGE}, resting {REST_S} s after each; the requester accepts it all.")
            let_them_work(stage.owner.session, stage.batch_id, stage.crew, tasks)
        with clock.phase("settle"):
            final = finish(stage)
        with clock.phase("results"):
            results = results_measured(stage)
            answers = list(stage.owner.session.export(stage.batch_id, "answers"))
            home = taken_home(stage.owner.session, stage.batch_id, field=FIELD, limit_s=DATASET_LIMIT_S)
            for hired in stage.crew:
                hired.sanctions = hired.member.session.sanctions()
    with clock.phase("gallery"):
        gallery = stage.gallery.finish()
    say(
        f"8. Meanwhile {guests_wanted()} more programs worked at the pace of people in {gallery['batches']} other"
        f" batches, which stay open: {gallery['answers']} answers."
    )
    proof = stage.staff.check()
    measured = answers_measured(stage, answers) | crowd_measured(stage.crew) | results | home
    measured |= {
        "ledger_sum_micros": proof["ledger_sum_micros"],
        "invariant_violations": proof["violations"],
        "paid_micros": final["paid_micros"],
        "fees_micros": final["fees_micros"],
        "refunded_micros": final["refunded_micros"],
        "escrow_left_micros": final["escrow_micros"],
        "seconds": clock.seconds,
        "answers_per_s": round(len(answers) / clock.phases["work"], 1),
        "phases_s": clock.phases,
        "gallery": gallery,
    }
    report(measured, stage.crew, proof, say)
    say("")
    for line in sign_in_lines(stage):
        say(line)
    return measured


def sign_in_lines(stage: Stage) -> list[str]:
    """Who can sign in, with which password, and what there is to see."""
    site, resident, owner = stage.staff.http.base_url, stage.gallery.resident, stage.owner
    return [
        f"To see the pages: sign in at {site}/accounts/login/",
        f"  worker     {resident.email}  {resident.password}",
        f"             {site}/work/  the board with {len(stage.gallery.opened)} open batches, earnings, standing, news",
        f"  requester  {owner.email}  {owner.password}",
        f"             {site}/console/  the organisation with its projects, batches, data sets and money",
        "  staff      ./run manage staff_key --email you@example.com --password",
        f"             {site}/staff/  once you have set up a second factor: an authenticator app on your phone",
        f"For programs: a key by POST /api/v1/keys with HTTP Basic; what there is: {site}/api/v1/docs",
    ]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def report(measured: Json, crew: Sequence[Hired], proof: Json, say: Say) -> None:
    """What came of it, for people."""
    say("")
    say(f"Result ({measured['tasks_complete']} of {measured['tasks']} tasks have all their answers)")
    say(f"  single answers    {measured['accuracy_answers']:.1%} right, of {measured['answers']}")
    say(f"  majority          {measured['accuracy_majority'] or 0:.1%} of the results right")
    say(f"  Dawid-Skene       {measured['accuracy_dawid_skene'] or 0:.1%} of the results right")
    say(
        f"  expected error    {measured['expected_error'] or 0:.1%} ({measured['expected_error_low'] or 0:.1%} to"
        f" {measured['expected_error_high'] or 0:.1%}, told from confidence and gold, without the truth)"
    )
    say(f"  agreement         Krippendorff's alpha {measured['alpha'] or 0:.2f}: {measured['alpha_words']}")
    say(f"  gold              {measured['gold_share']:.1%} of the answers")
    say(
        f"  bad workers       {measured['bad_workers_noticed']} of {measured['bad_workers']} noticed,"
        f" {measured['bad_workers_stopped']} of them stopped during the work"
    )
    say(f"  honest workers    {measured['honest_workers_noticed']} of {measured['honest_workers']} wrongly noticed")
    for line in crowd_table(crew):
        say(line)
    for words, people in Counter(told["words"] for hired in crew for told in hired.sanctions).most_common():
        say(f"    told {people} of them: {words}")
    if measured["places_open_gold"] or measured["places_open_dry"] or measured["places_open_fillable"]:
        say(
            f"  open places       {measured['places_open_gold']} of gold tasks (given by schedule),"
            f" {measured['places_open_dry']} that nobody was left for, {measured['places_open_fillable']} left undone"
        )
    say(
        f"  cost              {euros(measured['paid_micros'])} paid, {euros(measured['fees_micros'])} fees,"
        f" {euros(measured['refunded_micros'])} refunded, {euros(measured['escrow_left_micros'])} left in escrow"
    )
    say(
        f"  ledger proof      all balances sum to {measured['ledger_sum_micros']};"
        f" {len(proof['promises'])} promises checked, {measured['invariant_violations']} violations"
    )
    for promise in proof["promises"]:
        if promise["violations"]:
            say(f"    broken: {promise['name']} {promise['sentence']} ({promise['violations']})")
    home = measured["dataset"]
    say(
        f"  data set          version {home['number']} ({home['format']}): {home['items']} items in three splits,"
        f" {home['bytes']} bytes, SHA-256 {home['content_sha256'][:16]}…"
    )
    say(
        f"  throughput        {measured['answers_per_s']} answers/s while working"
        f" ({measured['phases_s']['work']:.1f} s; the whole demo {measured['seconds']:.1f} s)"
    )


ZEROS = (
    "places_open_fillable",
    "overlap_exceeded",
    "duplicate_answers",
    "ledger_sum_micros",
    "invariant_violations",
    "escrow_left_micros",
)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="Label handwritten digits with a simulated crowd.")
    parser.add_argument("--base-url", required=True, help="where Touchstone runs")
    parser.add_argument("--tasks", type=int, default=600, metavar="N", help="how many images (600)")
    parser.add_argument("--seed", type=int, default=7, help="draws the images and the crowd (7)")
    parser.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object")
    parser.add_argument("--no-serve", action="store_true", help="accepted for the caller, who does the serving")
    asked = parser.parse_args(argv)
    staff_key = os.environ.get("TOUCHSTONE_STAFF_KEY", "")
    if not staff_key:
        print("Set TOUCHSTONE_STAFF_KEY to a key of the staff (./run manage staff_key makes one).", file=sys.stderr)
        return 2

    def say(sentence: str) -> None:
        print(sentence, flush=True)

    try:
        tasks = digits.load(asked.tasks, seed=asked.seed, gold_share=GOLD_SHARE)
        measured = demo(asked.base_url, staff_key, tasks, seed=asked.seed, say=say)
    except (NoDigits, BadAddress) as why:
        print(why, file=sys.stderr)
        return 2
    except (Problem, Unreachable, TooSlow, NotInRecording) as why:
        print(f"The demo stopped: {why}", file=sys.stderr)
        return 1
    wrong = [f"{name} is {measured[name]} and should be 0." for name in ZEROS if measured[name]]
    for fault in wrong:
        print(fault, file=sys.stderr)
    if asked.json:
        print(json.dumps(measured), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

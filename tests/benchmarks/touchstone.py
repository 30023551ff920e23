"""Scripts of workers at Touchstone: a steady cycle, separate claim and submit, pages."""

import json
from collections import deque
from collections.abc import Sequence
from itertools import count

from tests.benchmarks.load import Meter, Script, request_bytes
from tests.benchmarks.seeding import VALUES, SeededBatch, SeededWorker

VALUES_JSON = json.dumps(VALUES)
_numbers = count(1)


class Hands:
    """One worker in one batch: his prepared request heads and the leases that he holds. Lives over many runs."""

    def __init__(self, worker: SeededWorker, batch: SeededBatch, port: int) -> None:
        self.worker = worker
        self.leases: list[tuple[str, str]] = []
        self.finished = False
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Authorization": f"Bearer {worker.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": "bench-%d",
        }
        self._claim_head = request_bytes("POST", f"/api/v1/worker/batches/{batch.public_id}/claim", headers)[:-4]
        self._submit_head = request_bytes("POST", "/api/v1/worker/submissions", headers)[:-4]
        self._return_head = request_bytes("POST", "/api/v1/worker/assignments/%s/return", headers)[:-4]
        self._then = f'],"then_claim":{{"batch":"{batch.public_id}","count":%d}}}}'

    def claim(self, page: int) -> bytes:
        return _with_body(self._claim_head, b'{"count":%d}' % page)

    def submit(self, page: int) -> bytes:
        """Submit all that is held; with a page size, claim the next page in the same request."""
        answers = ",".join(
            f'{{"assignment":"{lease}","token":"{token}","values":{VALUES_JSON}}}' for lease, token in self.leases
        )
        end = self._then % page if page else "]}"
        return _with_body(self._submit_head, f'{{"answers":[{answers}{end}'.encode())

    def give_back(self) -> bytes:
        """Give the first lease back, without a reason that would count against its task."""
        lease, token = self.leases[0]
        head = self._return_head.replace(b"%s", lease.encode(), 1)
        return _with_body(head, f'{{"token":"{token}","reason":"skip"}}'.encode())

    def take(self, leases: list[dict[str, str]]) -> None:
        self.leases = [(lease["id"], lease["token"]) for lease in leases]


def _with_body(head: bytes, body: bytes) -> bytes:
    return b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head % next(_numbers), len(body), body)


def first_leases(meter: Meter, hands: Sequence[Hands], page: int = 1) -> Script:
    """Claim for every worker who holds nothing, and end: what comes before a steady cycle."""
    for worker in hands:
        if not worker.leases and not worker.finished:
            reply = yield "claim", worker.claim(page)
            if reply.status == 201:
                worker.take(json.loads(reply.body)["assignments"])
            else:
                worker.finished = True
                _note(meter, "claim", reply.status, reply.body)


def hand_in(meter: Meter, hands: Sequence[Hands], page: int = 0) -> Script:
    """Submit whatever is held, claim nothing, and end."""
    for worker in hands:
        if worker.leases:
            reply = yield "submit", worker.submit(0)
            worker.leases = []
            if reply.status != 200:
                _note(meter, "submit", reply.status, reply.body)
            else:
                _count_outcomes(meter, json.loads(reply.body))


def steady(meter: Meter, hands: Sequence[Hands], page: int = 1) -> Script:
    """Submit with `then_claim`, over and over, the workers taking turns; a worker without leases claims first."""
    turns = deque(worker for worker in hands if not worker.finished)
    while turns and not meter.over:
        worker = turns[0]
        turns.rotate(-1)
        if not worker.leases:
            reply = yield "claim", worker.claim(page)
            if reply.status != 201:
                worker.finished = True
                turns.remove(worker)
                _note(meter, "claim", reply.status, reply.body)
                continue
            worker.take(json.loads(reply.body)["assignments"])
            continue
        reply = yield "cycle", worker.submit(page)
        if reply.status != 200:
            _note(meter, "cycle", reply.status, reply.body)
            worker.leases = []
            continue
        body = json.loads(reply.body)
        _count_outcomes(meter, body)
        worker.take(body["claimed"])
        if body["claim_problem"]:
            meter.count("nothing left")
            worker.finished = True
            turns.remove(worker)


def separate(meter: Meter, hands: Sequence[Hands], page: int = 1) -> Script:
    """Claim, then submit, as two requests."""
    turns = deque(worker for worker in hands if not worker.finished)
    while turns and not meter.over:
        worker = turns[0]
        turns.rotate(-1)
        reply = yield "claim", worker.claim(page)
        if reply.status != 201:
            worker.finished = True
            turns.remove(worker)
            _note(meter, "claim", reply.status, reply.body)
            continue
        worker.take(json.loads(reply.body)["assignments"])
        reply = yield "submit", worker.submit(0)
        if reply.status != 200:
            _note(meter, "submit", reply.status, reply.body)
        else:
            _count_outcomes(meter, json.loads(reply.body))
        worker.leases = []


def _count_outcomes(meter: Meter, body: dict) -> None:  # type: ignore[type-arg]
    stored = sum(outcome["outcome"] == "submitted" for outcome in body["outcomes"])
    meter.count("answers", stored)
    if stored != len(body["outcomes"]):
        meter.error("an answer was not stored")


def _note(meter: Meter, operation: str, status: int, body: bytes) -> None:
    """A batch that has no place left is no error."""
    if b"nothing-to-claim" in body:
        meter.count("nothing left")
    else:
        meter.error(f"{operation} {status} {body[:80]!r}")


def shared_out(hands: Sequence[Hands], clients: int) -> list[list[Hands]]:
    """The workers dealt to that many clients; nobody gets none."""
    return [list(hands[number::clients]) for number in range(min(clients, len(hands)))]

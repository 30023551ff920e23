"""What people do at a Touchstone, by the names of the domain, over the public HTTP API and nothing else."""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence

from tests.crowd.progress import Progress
from tests.crowd.transport import SPOOL_BYTES, BadAddress, Json, Patience, Problem, Transport, Unreachable

__all__ = ["BadAddress", "Json", "Patience", "Problem", "Session", "Unreachable"]

IMPORT_POLL_S = 0.5


class Session:
    """One person's access to the market. Replies are the API's JSON objects; a refusal raises `Problem`.

    A write is done once even if the connection drops: it is repeated with the same Idempotency-Key. When the server
    stays silent, `Unreachable` is raised.
    """

    def __init__(self, base_url: str, key: str | None = None, *, patience: Patience | None = None) -> None:
        self.http = Transport(base_url, key, patience=patience)

    def with_key(self, key: str) -> Session:
        """The same server, as the holder of `key`."""
        return Session(self.http.base_url, key, patience=self.http.patience)

    # Accounts

    def make_key(self, email: str, password: str, name: str, scopes: Sequence[str], expires_in_s: int) -> Json:
        """Sign in with HTTP Basic and make a key: {id, name, key, scopes, expires_at}. The key is shown only here."""
        basic = base64.b64encode(f"{email}:{password}".encode()).decode()
        body = {"name": name, "scopes": list(scopes), "expires_in_s": expires_in_s}
        made: Json = self.http.call("POST", "/keys", body, authorization=f"Basic {basic}")
        return made

    def found_requester(self, name: str) -> Json:
        """Found an organisation that posts work, with the caller as its owner: {id, name, role}."""
        return self._post("/requesters", {"name": name})

    def requester(self, requester_id: str) -> Json:
        """{id, name, role, balances: [{currency, funds_micros, held_micros}]}."""
        return self._get(f"/requesters/{requester_id}")

    def invite(self, accounts: Sequence[Json]) -> list[Json]:
        """Staff invites up to 1000 accounts {email, name?, worker}: [{email, code}]."""
        invitations: list[Json] = self._post("/invitations", {"accounts": list(accounts)})["invitations"]
        return invitations

    def accept_invitation(self, code: str, password: str) -> Json:
        """The invited person chooses a password: {id, email, worker}."""
        return self._post("/invitations/accept", {"code": code, "password": password})

    def introduce(self, requester_id: str) -> str:
        """The worker hands his pseudonym to one requester, and returns it."""
        return str(self._post("/worker/introductions", {"requester": requester_id})["pseudonym"])

    def deposit(self, requester_id: str, amount_micros: int, currency: str, reference: str) -> Json:
        """Staff records money that arrived: {transfer, requester, funds_micros}."""
        body = {"requester": requester_id, "amount_micros": amount_micros, "currency": currency, "reference": reference}
        return self._post("/deposits", body)

    def check(self) -> Json:
        """Staff asks for the proof: {ledger_sum_micros, violations, promises: [{name, sentence, violations}]}."""
        return self._get("/check")

    # Projects and batches

    def create_project(self, requester_id: str, name: str, interface: Json, instructions: str) -> Json:
        """A project whose version 1 is a draft: {id, requester, name, versions}."""
        body = {"requester": requester_id, "name": name, "interface": interface, "instructions": instructions}
        return self._post("/projects", body)

    def publish_version(self, project_id: str, number: int) -> Json:
        """Make a version of interface and instructions immutable and usable."""
        return self._post(f"/projects/{project_id}/versions/{number}/publish")

    def create_batch(self, project_id: str, terms: Json) -> Json:
        """A draft batch under `terms` {name, price_micros, overlap, …}: the batch."""
        return self._post(f"/projects/{project_id}/batches", terms)

    def import_rows(self, batch_id: str, rows: Iterable[Json]) -> Json:
        """Stream rows as JSONL, all or nothing, at flat memory: {tasks, gold, reserved, …}.

        Waits for a large import, with a bar. Raises `Problem` where rows are wrong.
        """
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as content:
            for row in rows:
                content.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
            imported: Json = self.http.upload(f"/batches/{batch_id}/imports", content, "application/x-ndjson")
        return imported if imported.get("state", "done") == "done" else self._imported(batch_id, imported)

    def _imported(self, batch_id: str, imported: Json) -> Json:
        """A large import once it is finished."""
        shown = 0
        with Progress("import, bytes", imported["bytes_total"]) as bar:
            while imported["finished_at"] is None:
                time.sleep(IMPORT_POLL_S)
                imported = self._get(f"/batches/{batch_id}/imports/{imported['id']}")
                bar.advance(imported["bytes_done"] - shown)
                shown = imported["bytes_done"]
        if imported["state"] != "done":
            detail = f"The import {imported['state']}: {imported['error_count']} errors. {imported['row_errors'][:3]}"
            raise Problem(422, "invalid-rows", detail, {"errors": imported["row_errors"]})
        return imported

    def estimate(self, batch_id: str) -> Json:
        """{tasks, gold_tasks, places, total_micros and what it is made of, funds_micros, missing_micros}."""
        return self._get(f"/batches/{batch_id}/estimate")

    def publish_batch(self, batch_id: str) -> Json:
        """Hold the worst case and let workers in. Raises `not-enough-funds`."""
        return self._post(f"/batches/{batch_id}/publish")

    def pause(self, batch_id: str) -> Json:
        """Stop new claims for a while."""
        return self._post(f"/batches/{batch_id}/pause")

    def resume(self, batch_id: str) -> Json:
        """Undo a pause."""
        return self._post(f"/batches/{batch_id}/resume")

    def close(self, batch_id: str) -> Json:
        """End a batch: no new claims, what is unused goes back to the requester."""
        return self._post(f"/batches/{batch_id}/close")

    def cancel(self, batch_id: str) -> Json:
        """Call a batch off."""
        return self._post(f"/batches/{batch_id}/cancel")

    def batch(self, batch_id: str) -> Json:
        """The batch with its terms and state."""
        return self._get(f"/batches/{batch_id}")

    def progress(self, batch_id: str) -> Json:
        """{state, tasks, places, leased, submitted, accepted, …, escrow_micros, paid_micros, …}."""
        return self._get(f"/batches/{batch_id}/progress")

    def answers(self, batch_id: str, state: str | None = None) -> Iterator[Json]:
        """The answers given so far, page after page."""
        return self.http.rows(f"/batches/{batch_id}/answers", {"state": state})

    def accept(self, batch_id: str, answer_ids: Sequence[str]) -> Json:
        """Accept up to 1000 answers: {accepted, remaining}."""
        return self._post(f"/batches/{batch_id}/answers/accept", {"answers": list(answer_ids)})

    def accept_all(self, batch_id: str) -> Json:
        """Accept the next answers that wait, at most 1000: {accepted, remaining}."""
        return self._post(f"/batches/{batch_id}/answers/accept", {"all_submitted": True})

    def reject(self, batch_id: str, answer_ids: Sequence[str], reason: str, comment: str) -> Json:
        """Reject answers with a reason of the list and a comment: {rejected}."""
        body = {"answers": list(answer_ids), "reason": reason, "comment": comment}
        return self._post(f"/batches/{batch_id}/answers/reject", body)

    def send_back(self, batch_id: str, answer_ids: Sequence[str], reason: str, comment: str) -> Json:
        """Give answers back to be mended, once, with a reason of the list and a comment: {returned}."""
        body = {"answers": list(answer_ids), "reason": reason, "comment": comment}
        return self._post(f"/batches/{batch_id}/answers/return", body)

    def aggregate(self, batch_id: str, method: str | None = None) -> Json:
        """One run from answers to results: {id, method, tasks, answers, converged, iterations, created_at}."""
        return self._post(f"/batches/{batch_id}/results", {"method": method} if method else {})

    def export(self, batch_id: str, what: str, run_id: str | None = None) -> Iterator[Json]:
        """The rows of `results` (of one run) or `answers`, streamed as JSONL."""
        lines = self.http.lines(f"/batches/{batch_id}/exports/{what}.jsonl", {"run": run_id})
        return (json.loads(line) for line in lines if line)

    def agreement(self, batch_id: str, field: str) -> Json:
        """How far the workers agree on a field: {fields: [{figures, words, advice, …}], …}."""
        reply: Json = self.http.call("GET", f"/batches/{batch_id}/agreement", query={"field": field})
        return reply

    def quality_report(self, batch_id: str) -> Json:
        """How much error is to be expected of the newest results: {fields: [{claimed, expected, low, high, …}], …}."""
        return self._get(f"/batches/{batch_id}/quality-report")

    def make_dataset(self, batch_id: str, asked: Json) -> Json:
        """Ask for a new version of the data set: {number, state, …}."""
        return self._post(f"/batches/{batch_id}/datasets", asked)

    def dataset(self, batch_id: str, number: int) -> Json:
        """A version and how far it is: {number, state, finished_at, content_sha256, …}."""
        return self._get(f"/batches/{batch_id}/datasets/{number}")

    # Work

    def worker(self) -> Json:
        """The caller as a worker: {id, country, languages, …}."""
        return self._get("/worker")

    def worker_batches(self) -> Iterator[Json]:
        """The batches a worker may see: {id, name, price_micros, eligible, reason, …}."""
        return self.http.rows("/worker/batches")

    def worker_batch(self, batch_id: str) -> Json:
        """One of them with its interface and instructions."""
        return self._get(f"/worker/batches/{batch_id}")

    def claim(self, batch_id: str, count: int) -> list[Json]:
        """Top up to `count` leased assignments and return all of them: [{id, token, data, …}].

        Raises `nothing-to-claim`, `batch-not-open`, `not-eligible`.
        """
        assignments: list[Json] = self._post(f"/worker/batches/{batch_id}/claim", {"count": count})["assignments"]
        return assignments

    def submit(self, answers: Sequence[Json], then_claim: Json | None = None) -> Json:
        """Submit a page {assignment, token, values} and perhaps claim the next: {outcomes, claimed}.

        A page of which nothing could be stored is returned too, with outcomes `lease_lost`; nothing is claimed then.
        """
        body: Json = {"answers": list(answers)}
        if then_claim is not None:
            body["then_claim"] = then_claim
        try:
            reply = self._post("/worker/submissions", body)
        except Problem as problem:
            if problem.code != "lease-lost":
                raise
            reply = problem.body
        return {"outcomes": reply["outcomes"], "claimed": reply.get("claimed") or []}

    def give_back(self, assignment_id: str, token: str, reason: str = "") -> Json:
        """Return an assignment undone."""
        body = {"token": token} | ({"reason": reason} if reason else {})
        return self._post(f"/worker/assignments/{assignment_id}/return", body)

    def earnings(self) -> list[Json]:
        """[{currency, settled_micros, due_micros, submitted_micros, earned_micros}]."""
        currencies: list[Json] = self._get("/worker/earnings")["currencies"]
        return currencies

    def reputation(self) -> list[Json]:
        """What the market thinks of the worker: [{facet, project, score, low, high, evidence}]."""
        return list(self.http.rows("/worker/reputation"))

    def sanctions(self) -> list[Json]:
        """What limits the worker, or did: [{measure, scope, reason, words, evidence, expires_at, …}]."""
        return list(self.http.rows("/worker/sanctions"))

    def _get(self, path: str) -> Json:
        reply: Json = self.http.call("GET", path)
        return reply

    def _post(self, path: str, body: Json | None = None) -> Json:
        reply: Json = self.http.call("POST", path, body)
        return reply

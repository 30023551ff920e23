"""Many workers at once: signing them in by invitation, and letting them work in threads, page by page."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.crowd.client import Json, Problem, Session
from tests.crowd.progress import Progress

KEY_LIFE_S = 24 * 3600
INVITATIONS_AT_ONCE = 1000
SLOWED_REST_S = 1.0


@dataclass(frozen=True, slots=True)
class Owner:
    """A requester's owner who has signed in."""

    email: str
    password: str
    requester_id: str
    session: Session


def open_requester(staff: Session, *, name: str, run: str) -> Owner:
    """Staff invites somebody, who makes a key and founds the organisation `name`. (By himself he would need the code
    from a mail.)"""
    email, password = f"requester-{run}@crowd.example.com", secrets.token_urlsafe(15)
    [invited] = staff.invite([{"email": email, "name": "Owner", "worker": False}])
    nobody = Session(staff.http.base_url)
    nobody.accept_invitation(str(invited["code"]), password)
    session = nobody.with_key(str(nobody.make_key(email, password, "crowd", ["requester"], KEY_LIFE_S)["key"]))
    return Owner(email, password, str(session.found_requester(name)["id"]), session)


@dataclass(frozen=True, slots=True)
class Member:
    """A worker who has signed in and has told one requester his pseudonym."""

    name: str
    email: str
    password: str
    pseudonym: str
    session: Session


def sign_in_workers(
    staff: Session, *, names: Sequence[str], requester_id: str, run: str, threads: int, progress: Progress
) -> list[Member]:
    """Invite one account per name; each accepts, makes a key and introduces himself. In the order of names."""
    emails = [f"worker-{number:04d}-{run}@crowd.example.com" for number in range(1, len(names) + 1)]
    codes: dict[str, str] = {}
    for start in range(0, len(names), INVITATIONS_AT_ONCE):
        part = slice(start, start + INVITATIONS_AT_ONCE)
        accounts = [
            {"email": email, "name": name, "worker": True}
            for email, name in zip(emails[part], names[part], strict=True)
        ]
        codes |= {str(invited["email"]).lower(): str(invited["code"]) for invited in staff.invite(accounts)}

    def sign_in(name: str, email: str) -> Member:
        password = secrets.token_urlsafe(15)
        nobody = Session(staff.http.base_url)
        nobody.accept_invitation(codes[email], password)
        key = str(nobody.make_key(email, password, "crowd", ["worker"], KEY_LIFE_S)["key"])
        session = nobody.with_key(key)
        pseudonym = session.introduce(requester_id)
        progress.advance()
        return Member(name=name, email=email, password=password, pseudonym=pseudonym, session=session)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(sign_in, names, emails))


class PageWorker:
    """One worker in one batch: claims a page, answers it, submits it together with the next claim, until all is done.

    `values_for` gives the values of an assignment; `expects_more` says whether an empty board is a surprise, in which
    case he looks again a few times. Used by one thread at a time.
    """

    LOOKS = 8

    def __init__(
        self,
        session: Session,
        *,
        batch_id: str,
        page: int,
        values_for: Callable[[Json], Json],
        expects_more: Callable[[], int],
        on_stored: Callable[[int], None],
        rest_s: float = 0.0,
    ) -> None:
        self.session = session
        self.batch_id = batch_id
        self.page = page
        self.values_for = values_for
        self.expects_more = expects_more
        self.on_stored = on_stored
        self.rest_s = rest_s
        self.stored = 0
        self.lost = 0
        self.not_eligible: str | None = None
        self.limited: str | None = None
        self._page: list[Json] = []
        self._empty_looks = 0

    def step(self) -> float | None:
        """Do one page. Returns the seconds to rest before the next one, None when there is nothing left to do."""
        if not self._page:
            try:
                self._page = self.session.claim(self.batch_id, self.page)
            except Problem as refusal:
                return self._after(refusal)
        self._empty_looks = 0
        if self._page:
            self._submit()
        return self.rest_s

    def start_again(self) -> None:
        """Look for work once more after having ended."""
        self._empty_looks = 0

    def _submit(self) -> None:
        answers = [
            {"assignment": shown["id"], "token": shown["token"], "values": self.values_for(shown)}
            for shown in self._page
        ]
        reply = self.session.submit(answers, {"batch": self.batch_id, "count": self.page})
        stored = sum(outcome["outcome"] == "submitted" for outcome in reply["outcomes"])
        self.stored += stored
        self.lost += sum(outcome["outcome"] == "lease_lost" for outcome in reply["outcomes"])
        self.on_stored(stored)
        self._page = reply["claimed"]

    def _after(self, refusal: Problem) -> float | None:
        if refusal.code == "not-eligible":
            self.not_eligible = refusal.detail
            return None
        if refusal.code == "sanctioned":
            self.limited = refusal.detail
            return None
        if refusal.code == "batch-not-open":
            return None
        if refusal.code == "slowed-down":
            return SLOWED_REST_S
        if refusal.code != "nothing-to-claim":
            raise refusal
        self._empty_looks += 1
        return max(self.rest_s, 0.25) if self.expects_more() and self._empty_looks < self.LOOKS else None


def work(crew: Iterable[PageWorker], threads: int) -> None:
    """Let all work until each has ended, `threads` at a time. Who has most left goes first, so that none is last alone.

    Raises the first error of anyone; the others stop after the page they are at.
    """
    waiting: list[tuple[float, PageWorker]] = [(0.0, worker) for worker in crew]
    busy = 0
    failures: list[BaseException] = []
    change = threading.Condition()

    def one_thread() -> None:
        nonlocal busy
        while True:
            with change:
                while True:
                    if failures or (not waiting and not busy):
                        return
                    now = time.monotonic()
                    ready = [entry for entry in waiting if entry[0] <= now]
                    if ready:
                        break
                    change.wait(max(0.001, min(entry[0] for entry in waiting) - now) if waiting else None)
                chosen = max(ready, key=lambda entry: (entry[1].expects_more(), -entry[0]))
                waiting.remove(chosen)
                busy += 1
            try:
                rest_s = chosen[1].step()
            except BaseException as why:
                with change:
                    failures.append(why)
                    busy -= 1
                    change.notify_all()
                return
            with change:
                busy -= 1
                if rest_s is not None:
                    waiting.append((time.monotonic() + rest_s, chosen[1]))
                change.notify_all()

    pool = [threading.Thread(target=one_thread, name=f"crowd-{number}", daemon=True) for number in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    if failures:
        raise failures[0]

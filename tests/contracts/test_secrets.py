"""No secret lies in the repository (R35), and replacing the site's own signs nobody out."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.api.callers import Caller
from tests.api.market import Market
from tests.api_client import PASSWORD, Api, signed_up
from tests.conftest import ROOT

# By what each opens. Made by joining, so that this file has none.
FORMS = {
    "a private key": "-----BEGIN " r"(?:[A-Z]+ )*PRIVATE KEY-----",
    "AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{40,}",
    "GitLab": r"\bglpat-[A-Za-z0-9_-]{20}",
    "Slack": r"\bxox[abposr]-[A-Za-z0-9-]{10,}",
    "Stripe": r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,}|\bwhsec_[A-Za-z0-9+/=]{24,}",
    "Google": r"\bAIza[0-9A-Za-z_-]{35}",
    "a registry": r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgE[A-Za-z0-9_-]{20,}",
    "a signed token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.",
    "our API": r"\bts_[0-9a-f]{40,}",
    "Django": "django-insecure" r"-[\w!@#$%^&*()+=-]{20,}",
    "a server": r"[a-z][a-z+]{2,}://[^/\s:@\"'{}<>]+:(?!secret@|letters@|pw@)[^/\s@\"'{}<>]{4,}@[\w.\[]",
    # Something with digits in it that is given to what is called a secret.
    "something": r"(?i)\b\w*(?:secret|password|passwd|token|api_?key)\w*[\"']?\s*[:=]\s*[\"'](?=[^\"']*\d[^\"']*\d)"
    r"[A-Za-z0-9+_=-]{24,}[\"']",
}
PLANTED = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "GitHub": "ghp_" + "a1B2" * 9,
    "GitLab": "glpat-" + "a1B2c" * 4,
    "Slack": "xoxb-" + "1234567890",
    "Stripe": "sk_" + "live_" + "a1B2" * 4,
    "Google": "AIza" + "a1B2c" * 7,
    "a registry": "npm_" + "a1B2" * 9,
    "a signed token": "eyJ" + "a" * 10 + ".eyJ" + "b" * 10 + ".c",
    "our API": "ts_" + "0123456789" * 4,
    "Django": "django-" + "insecure-" + "x" * 30,
    "a server": "postgresql://app:" + "hunter22@db.example.org/a",
    "something": 'SECRET_KEY = "' + "a1b2c3d4" * 4 + '"',
}
# Locks are digests, and named by their packages.
DIGESTS = re.compile(r"(\.lock|-lock\.json)$")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and not DIGESTS.search(name)]


def secrets_in(text: str) -> Iterator[tuple[str, int]]:
    """What a text would open, with the line."""
    for opens, form in FORMS.items():
        for found in re.finditer(form, text):
            yield opens, text.count("\n", 0, found.start()) + 1


def test_there_is_no_secret_in_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    names = tracked()
    assert len(names) > 500
    found = [
        f"{name}:{line} opens {opens}"
        for name in names
        if (ROOT / name).is_file()
        for opens, line in secrets_in((ROOT / name).read_text(errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("opens", FORMS)
def test_one_that_lay_there_would_be_found(opens: str) -> None:
    assert [name for name, _ in secrets_in(f"first line\n{PLANTED[opens]}\n")][:1] == [opens]
    assert [line for _, line in secrets_in(f"first line\n{PLANTED[opens]}\n")][:1] == [2]


def test_no_file_that_keeps_secrets_is_in_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    kept = {".env", "secret_key", "id_rsa", "id_ed25519", ".netrc", ".pgpass", ".npmrc-auth"}
    assert [name for name in tracked() if Path(name).name in kept or name.endswith((".pem", ".key", ".p12"))] == []


# --- replacing the site's own secret -----------------------------------------------------------------------------


def sign_in(email: str) -> Client:
    client = Client(REMOTE_ADDR=Api().address)
    answer = client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def is_in(client: Client) -> bool:
    return bool(client.get("/accounts/email/").status_code == 200)


def test_a_new_secret_signs_nobody_out_as_long_as_the_old_one_is_kept(market: Market, settings: Any) -> None:
    user, first = signed_up(), settings.SECRET_KEY
    client, other = sign_in(user.email), sign_in(user.email)
    following = market["owner"].get("batches?limit=1").expect(200)["next"].removeprefix("http://testserver")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = first + "-and-a-new-one-that-is-long-enough", [first]

    assert is_in(client)
    assert market["owner"].get(following).status == 200, "a place in a list is kept too"
    assert Caller("key", market["owner"].token).get("requesters").status == 200
    # Whoever came by meanwhile is in by the new one alone; who did not is out when the old one is dropped.
    settings.SECRET_KEY_FALLBACKS = []
    assert is_in(client)
    assert not is_in(other)


def test_without_the_old_secret_sessions_end(db: None, settings: Any) -> None:
    client = sign_in(signed_up().email)
    assert is_in(client)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another one that has nothing to do with it, and is long", []

    assert not is_in(client)

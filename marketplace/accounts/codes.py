"""Codes that are shown once: what is kept of them."""

import hashlib
import secrets


def new_code() -> str:
    """A code of 192 random bits."""
    return secrets.token_urlsafe(24)


def hash_of(code: str) -> bytes:
    """What is kept of a code: with 192 random bits it needs no slow hash."""
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()

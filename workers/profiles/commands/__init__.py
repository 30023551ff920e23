"""Everything that can happen to a worker's profile; what happens to people themselves is at hand here."""

from workers.profiles.commands.people import (
    become_worker,
    ensure_workers,
    pseudonym_for,
    pseudonyms,
    update_profile,
)

__all__ = ["become_worker", "ensure_workers", "pseudonym_for", "pseudonyms", "update_profile"]

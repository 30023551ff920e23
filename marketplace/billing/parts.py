"""Who may keep whose books."""

from marketplace.accounts.queries import has_part
from marketplace.billing.errors import OwnOrganisation


def require_no_part(requester_id: int, by: int) -> None:
    """Raise `OwnOrganisation` for whoever is or ever was a member of the organisation, by any of his accounts."""
    if has_part(requester_id, by):
        raise OwnOrganisation("Another member of the staff records this, for you have a part in this organisation.")

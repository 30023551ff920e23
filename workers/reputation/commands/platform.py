"""The platform's own quality rules, kept by staff."""

from typing import Any

from marketplace.batches.quality.forms import quality_errors
from marketplace.common.transactions import require_transaction
from workers.reputation.errors import RulesInvalid
from workers.reputation.models import PlatformRules


def set_platform_rules(*, quality: dict[str, Any], note: str, by: int) -> PlatformRules:
    """Have these rules judge every answer from now on, in place of the earlier ones; `note` says why.

    The earlier ones stay in the history. Raises `RulesInvalid`.
    """
    require_transaction()
    errors = quality_errors(quality, platform=True)
    if not note.strip():
        errors.append({"field": "note", "message": "must not be empty"})
    if errors:
        raise RulesInvalid("The rules have errors.", errors=errors)
    return PlatformRules.objects.create(quality=quality, note=note, made_by_id=by)

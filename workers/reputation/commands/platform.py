"""The platform's own quality rules, kept by staff."""

from typing import Any

from marketplace.accounts.commands.acts import record
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
    before = PlatformRules.objects.order_by("-pk").values_list("pk", flat=True).first()
    made = PlatformRules.objects.create(quality=quality, note=note, made_by_id=by)
    record(
        "configuration.platform_rules",
        subject="platform_rules",
        subject_id=made.pk,
        by=by,
        before={"rules": before},
        after={"rules": made.pk},
    )
    return made

"""What a draft still lacks before it can be published, and what is worth a thought before."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace.batches.models import Batch
from marketplace.batches.queries import Estimate, unfinished_import

# Less than this for an answer is hardly meant.
HASTE_S = 30
# By its name: the step of the set-up where it is mended, the words, and whether it stops publishing.
LACKS: dict[str, tuple[str, str | Promise, bool]] = {
    "import": ("items", _("An import is not finished: wait for it, or cancel it."), True),
    "items": ("items", _("There are no items yet."), True),
    "only_gold": ("items", _("All items are gold; gold alone is no work."), True),
    "gold": ("gold", _("No item has a known answer, so nobody can tell how good the answers are."), False),
    "time": ("terms", _("Workers have less than half a minute for an answer."), False),
    "rules": ("quality", _("No rule watches the answers: whoever guesses goes on."), False),
}


@dataclass(frozen=True)
class Lack:
    """One thing, by its name among `LACKS`."""

    name: str

    @property
    def step(self) -> str:
        """Of the set-up, where it is mended."""
        return LACKS[self.name][0]

    @property
    def words(self) -> str:
        return str(LACKS[self.name][1])

    @property
    def stops(self) -> bool:
        """Whether it keeps the draft from being published."""
        return LACKS[self.name][2]


def lacking(batch: Batch, cost: Estimate) -> list[Lack]:
    """What a draft lacks, by what it would cost as it is; the worst first. That funds are short `cost` says itself."""
    return [Lack(name) for name in _names(batch, cost)]


def _names(batch: Batch, cost: Estimate) -> Iterator[str]:
    if unfinished_import(batch.pk) is not None:
        yield "import"
    elif cost.tasks == 0:
        yield "items"
    elif cost.tasks == cost.gold_tasks:
        yield "only_gold"
    if cost.tasks and not cost.gold_tasks:
        yield "gold"
    if batch.time_limit_s < HASTE_S:
        yield "time"
    if not batch.quality:
        yield "rules"

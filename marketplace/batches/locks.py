"""The only place of this app that locks rows. Order: worker → batch → task → assignment → ledger accounts."""

from marketplace.batches.errors import WrongState
from marketplace.batches.models import Batch, Import
from marketplace.batches.states import BatchState
from marketplace.common.database import rows


def batch_for_update(batch_id: int) -> Batch:
    """The batch under FOR UPDATE, for publish, pause, close, cancel and settle: no claim runs beside them."""
    return Batch.objects.select_for_update().get(pk=batch_id)


def share_batch(batch_id: int) -> None:
    """The batch under FOR KEY SHARE whatever its state, where a later step of the transaction reads it again."""
    rows("SELECT 1 FROM batches_batch WHERE id = %s FOR KEY SHARE", [batch_id])


def hold_batch(batch_id: int) -> None:
    """The batch under FOR NO KEY UPDATE: claims go on, and of those who hold it so one works after the other."""
    rows("SELECT 1 FROM batches_batch WHERE id = %s FOR NO KEY UPDATE", [batch_id])


def lock_tasks(task_ids: list[int]) -> None:
    """The tasks under FOR NO KEY UPDATE, by id, before any of their assignments."""
    rows("SELECT id FROM batches_task WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [task_ids])


def draft_for_update(batch_id: int, *, refusal: str = "Tasks can be added to a draft batch only.") -> Batch:
    """The draft batch under FOR UPDATE, where tasks are to come in. Raises `WrongState` for one that is no draft."""
    batch = batch_for_update(batch_id)
    if batch.state != BatchState.DRAFT:
        raise WrongState(refusal, state=batch.state)
    return batch


def import_with_batch(import_id: int, *, wait: bool) -> tuple[Import, Batch] | None:
    """The import under FOR NO KEY UPDATE, behind its batch under FOR KEY SHARE; without `wait`, None for one that
    another process holds. Publishing and everything else that changes the batch's state waits for this transaction."""
    batch_id = Import.objects.values_list("batch_id", flat=True).get(pk=import_id)
    batch = Batch.objects.raw("SELECT * FROM batches_batch WHERE id = %s FOR KEY SHARE", [batch_id])[0]
    held = Import.objects.select_for_update(no_key=True, skip_locked=not wait).filter(pk=import_id).first()
    return None if held is None else (held, batch)

"""What results does about events: it hastens the sweep that makes final results."""

from marketplace.batches.events import BatchSettled
from marketplace.common.outbox import Delivered, handles, name_reader
from marketplace.results.commands import consensus, reviews

name_reader(consensus.READER)
name_reader(reviews.READER)


@handles(BatchSettled)
def aggregate_soon(event: Delivered) -> None:
    """Ask for the final results."""
    from marketplace.results.tasks import aggregate_settled

    aggregate_settled.apply_async(expires=30, ignore_result=True)

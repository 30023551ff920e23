"""What is kept for a time only."""

from marketplace.common.commands import forgets
from marketplace.streams.commands import trim

forgets(trim)

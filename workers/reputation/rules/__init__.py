"""Quality rules, judged: from a worker's history to figures, and from figures to firings. Pure: no ORM, no clock, no
chance of their own. The form of rules is `marketplace.batches.quality`."""

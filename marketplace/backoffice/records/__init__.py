"""Records: what the tables hold, for staff to look up. Nothing is changed here; see README.md.

`site` has how they are read and shown; each other module names tables, what of them is shown, and to whom.
"""

from marketplace.backoffice.records import money, people, work, workings
from marketplace.backoffice.records.site import Record, records

__all__ = ["Record", "money", "people", "records", "work", "workings"]

"""Work: what is posted, done and taken home. Which task is gold, its key and what came of it are in tables that the
site itself cannot read without being asked for them, and are in no record."""

from django.contrib.admin import register
from django.utils.translation import gettext_lazy as _

from marketplace.backoffice.people import JUDGES, PEOPLE
from marketplace.backoffice.records.site import Part, Record, one_of, records
from marketplace.batches.models import Batch, Import, MorePlaces, Payload, Task
from marketplace.projects.models import Project, Version
from marketplace.results.models import Dataset, DatasetLink
from workers.assignments.models import Answer, Assignment, Hold, Rejection, Repair, Reserve, Settlement, Uphold


@register(Project, site=records)
class Projects(Record):
    slug, thing, group, roles, title = "projects", "project", "work", PEOPLE, "name"
    label, about = _("Projects"), _("Each kind of work.")
    list_display = ("name", "requester", "public_id", "made_at")
    search_fields = ("public_id", "requester__public_id", "^name")
    fields = ("name", "requester", "public_id", "made_at")
    withheld = ("id",)


@register(Version, site=records)
class Versions(Record):
    slug, thing, group, roles, handle = "versions", "version", "work", PEOPLE, "pk"
    label, about = _("Versions"), _("What workers are shown: interface, labels and instructions.")
    list_display = ("id", "project", "number", "made_at", "published_at")
    search_fields = ("project__public_id", "id")
    fields = ("id", "project", "number", "made_at", "published_at", "instructions", "interface")


@register(Batch, site=records)
class Batches(Record):
    slug, thing, group, roles, title = "batches", "batch", "work", PEOPLE, "name"
    label, about = _("Batches"), _("The terms under which tasks are done.")
    list_display = ("name", "requester", "state", "kind", "price_micros", "overlap", "made_at", "published_at")
    list_filter = (one_of("state"), one_of("kind"), one_of("pause_reason"))
    search_fields = ("public_id", "requester__public_id", "project__public_id", "^name")
    fields = (
        "name", "public_id", "requester", "project", "version", "kind", "pilot", "state", "pause_reason", "currency",
        "price_micros", "fee_micros", "overlap", "time_limit_s", "expected_s", "auto_accept_s", "appeal_s",
        "target_hourly_micros", "topup_basis_points", "fee_basis_points", "fee_minimum_micros", "dispute_basis_points",
        "order", "lease_cap", "lease_max_s", "head_start_s", "worker_limit", "daily_limit", "pair_limit",
        "max_attempts", "audience", "quality", "gold_policy", "aggregation", "made_at", "published_at", "closed_at",
        "settled_at",
    )  # fmt: skip
    withheld = ("id", "continues")
    parts = (
        Part(
            _("What was given back of its hold, or used besides answers"),
            Reserve,
            "batch",
            (
                "dispute_places", "released_places", "releases", "median_ms", "topup_micros", "topup_released_at",
                "disputes_released_at",
            ),
            ("batch",),
        ),
        Part(
            _("Places that were added"),
            MorePlaces,
            "batch",
            ("number", "tasks", "places", "disputes", "made_at"),
            ("batch", "open"),
            "-number",
        ),
    )  # fmt: skip


@register(Task, site=records)
class Tasks(Record):
    slug, thing, group, roles, handle, title = "tasks", "task", "work", JUDGES, "pk", "external_id"
    label, about = _("Tasks"), _("What is to be answered, and how many of its places are taken.")
    list_display = ("id", "external_id", "batch", "overlap", "taken", "attempts", "quarantined_at")
    search_fields = ("batch__public_id", "id")
    fields = (
        "id", "external_id", "batch", "overlap", "taken", "reserved", "priority", "attempts", "quarantined_at",
        "refunded",
    )  # fmt: skip
    parts = (Part(_("What its workers are shown"), Payload, "task", ("data",), ("task", "batch_id")),)


@register(Import, site=records)
class Imports(Record):
    slug, thing, group, roles = "imports", "batch_import", "work", JUDGES
    label, about = _("Imports"), _("Files on their way into batches, and what they brought.")
    list_display = ("public_id", "batch", "kind", "state", "tasks", "error_count", "made_at", "finished_at")
    list_filter = (one_of("state"),)
    search_fields = ("public_id", "batch__public_id")
    fields = (
        "public_id", "batch", "kind", "state", "attempt", "bytes_total", "bytes_done", "rows_read", "tasks", "places",
        "reserved_tasks", "error_count", "left_out", "body_sha256", "made_at", "touched_at", "finished_at",
    )  # fmt: skip
    # Rows that were refused may quote keys of gold, and which columns hold them is said by the mapping.
    withheld = ("id", "principal", "key", "header", "mapping", "errors", "gold_tasks", "after_task_id")


@register(Assignment, site=records)
class Assignments(Record):
    slug, thing, group, roles, personal = "assignments", "assignment", "work", JUDGES, True
    label, about = _("Assignments and answers"), _("Who has taken which task, what he answered, what was decided.")
    list_display = ("public_id", "batch", "worker", "state", "leased_at", "lease_until", "submitted_at", "decided_at")
    list_filter = (one_of("state"),)
    search_fields = ("public_id", "worker__public_id", "batch__public_id")
    fields = (
        "public_id", "batch", "task", "worker", "person", "version", "state", "place", "lease_no", "attempts",
        "leased_at", "lease_until", "submitted_at", "auto_accept_at", "decided_at", "end_reason", "comment",
    )  # fmt: skip
    # Whoever has the token can submit.
    withheld = ("id", "token")
    parts = (
        Part(
            _("Answers"),
            Answer,
            "assignment",
            ("revision", "values", "unclear", "submitted_at"),
            ("assignment", "batch_id"),
            "-revision",
        ),
        Part(
            _("Sent back for repair"),
            Repair,
            "assignment",
            ("reason", "comment", "made_by", "submitted_at", "made_at"),
            ("assignment", "batch"),
        ),
        Part(
            _("Rejected"),
            Rejection,
            "assignment",
            ("reason", "comment", "version", "made_by", "made_at", "agreed"),
            ("assignment", "batch", "review_id"),
        ),
        Part(_("Rejection undone"), Uphold, "assignment", ("reason", "made_by", "made_at"), ("assignment",)),
        Part(
            _("What is due for it"),
            Settlement,
            "assignment",
            ("price_micros", "fee_micros", "due_at", "settled_at", "from_disputes"),
            ("assignment", "batch", "worker"),
        ),
    )


@register(Hold, site=records)
class Holds(Record):
    slug, thing, group, roles, personal, handle = "holds", "hold", "work", JUDGES, True, "pk"
    label, about = _("Answers held back"), _("Whose answers are not accepted by themselves for a while, and why.")
    list_display = ("id", "worker", "batch", "until", "made_at", "ended_at")
    search_fields = ("worker__public_id", "batch__public_id")
    fields = ("id", "worker", "batch", "until", "reason", "firing_id", "made_by", "made_at", "ended_at", "end_reason")


@register(Dataset, site=records)
class Datasets(Record):
    slug, thing, group, roles = "datasets", "dataset", "work", PEOPLE
    label, about = _("Data sets"), _("Numbered versions of what batches came to.")
    list_display = ("public_id", "batch", "number", "format", "state", "items", "size", "made_at", "finished_at")
    list_filter = (one_of("state"),)
    search_fields = ("public_id", "batch__public_id")
    fields = (
        "public_id", "batch", "number", "format", "options", "plan", "state", "error", "items", "items_written",
        "answers", "size", "content_sha256", "archive_sha256", "attempts", "made_by", "made_at", "touched_at",
        "held_until", "finished_at",
    )  # fmt: skip
    # Who builds it holds the token; the others are of its own pages, as long as the data set.
    withheld = (
        "id", "run", "token", "after_task_id", "stretch", "tally", "losses", "validation", "manifest",
    )  # fmt: skip


@register(DatasetLink, site=records)
class DatasetLinks(Record):
    slug, thing, group, roles = "dataset-links", "dataset_link", "work", PEOPLE
    label, about = _("Links to data sets"), _("Who made an address for a download, and until when it opens; never it.")
    list_display = ("public_id", "of", "made_by", "made_at", "expires_at", "ended_at", "used_at")
    search_fields = ("public_id", "of__public_id")
    fields = ("public_id", "of", "made_by", "made_at", "expires_at", "ended_at", "used_at")
    withheld = ("id", "digest")

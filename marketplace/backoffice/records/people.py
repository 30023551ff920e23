"""People and organisations: who they are, by what they come in, and what limits them.

Addresses, names and devices are for support. Nobody reads a password's or a key's digest, a code of an invitation or
the key of a session here.
"""

from allauth.usersessions.models import UserSession
from django.contrib.admin import register
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import (
    ApiKey,
    Member,
    MemberInvitation,
    Requester,
    Sanction,
    StaffGrant,
    User,
)
from marketplace.backoffice.people import JUDGES, PEOPLE, SUPPORT
from marketplace.backoffice.records.site import Part, Record, one_of, records
from workers.appeals.models import Appeal, Step
from workers.profiles.models import Worker


@register(User, site=records)
class Accounts(Record):
    slug, thing, group, roles, personal = "accounts", "account", "people", SUPPORT, True
    label, about = _("Accounts"), _("Everybody who can sign in, with his address.")
    list_display = ("public_id", "email", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = (one_of("is_active"), one_of("is_staff"))
    search_fields = ("public_id", "^email")
    fields = ("public_id", "email", "name", "is_active", "is_staff", "date_joined", "last_login")
    withheld = ("id", "password")
    parts = (
        Part(
            _("Roles among the staff"),
            StaffGrant,
            "user",
            ("role", "granted_at", "granted_by"),
            ("user",),
            "granted_at",
        ),
    )


@register(Worker, site=records)
class Workers(Record):
    slug, thing, group, roles, personal = "workers", "worker", "people", PEOPLE, True
    label, about = _("Workers"), _("What they say of themselves, without names and addresses.")
    list_display = ("public_id", "user", "country", "languages", "device", "created_at")
    list_filter = (one_of("device"),)
    search_fields = ("public_id", "user__public_id")
    fields = ("public_id", "user", "person", "country", "languages", "content", "of_age_at", "device", "created_at")
    withheld = ("id",)
    decided_at = "staff_worker"


@register(Requester, site=records)
class Requesters(Record):
    slug, thing, group, roles, title = "organisations", "requester", "people", PEOPLE, "name"
    label, about = _("Organisations"), _("Who posts work and pays for it.")
    list_display = ("name", "public_id", "created_at")
    search_fields = ("public_id", "^name")
    fields = ("name", "public_id", "created_at")
    withheld = ("id",)
    decided_at = "staff_requester"


@register(Member, site=records)
class Members(Record):
    slug, thing, group, roles, personal, handle = "members", "member", "people", SUPPORT, True, "pk"
    label, about = _("Members"), _("Who may do what in which organisation.")
    list_display = ("id", "requester", "user", "role", "joined_at")
    list_filter = (one_of("role"),)
    search_fields = ("requester__public_id", "user__public_id")
    fields = ("id", "requester", "user", "role", "joined_at")


@register(MemberInvitation, site=records)
class MemberInvitations(Record):
    slug, thing, group, roles, personal = "invitations", "member_invitation", "people", SUPPORT, True
    label, about = _("Invitations"), _("Who was asked to join an organisation, by whom, and what came of it.")
    list_display = ("public_id", "email", "requester", "role", "made_at", "expires_at", "ended_at")
    list_filter = (one_of("role"),)
    search_fields = ("public_id", "requester__public_id", "^email")
    fields = (
        "public_id", "email", "requester", "role", "made_by", "made_at", "expires_at", "accepted_by", "ended_at",
    )  # fmt: skip
    withheld = ("id", "code_hash")


@register(ApiKey, site=records)
class ApiKeys(Record):
    slug, thing, group, roles, personal = "keys", "api_key", "people", SUPPORT, True
    label, about = _("API keys"), _("What each may be used for and until when; never the key.")
    list_display = ("public_id", "user", "name", "scopes", "created", "expiry")
    search_fields = ("public_id", "user__public_id")
    fields = ("public_id", "user", "name", "scopes", "created", "expiry")
    withheld = ("digest", "token_key")
    # By the primary key it would go by the digest.
    ordering = ("-created",)


@register(UserSession, site=records)
class SignIns(Record):
    slug, thing, group, roles, personal, handle = "sessions", "sign_in", "people", SUPPORT, True, "pk"
    label, about = _("Sessions"), _("Where people are signed in; never by what.")
    list_display = ("id", "user", "ip", "user_agent", "created_at", "last_seen_at")
    search_fields = ("user__public_id", "ip")
    fields = ("id", "user", "ip", "user_agent", "created_at", "last_seen_at")
    withheld = ("session_key", "data")


@register(Sanction, site=records)
class Sanctions(Record):
    slug, thing, group, roles, personal = "sanctions", "sanction", "people", JUDGES, True
    label, about = _("Sanctions"), _("Every limit there ever was, with its words and evidence.")
    list_display = ("public_id", "user", "measure", "reason", "scope", "made_at", "expires_at", "lifted_at")
    list_filter = (one_of("measure"), one_of("reason"), one_of("scope"))
    search_fields = ("public_id", "user__public_id")
    fields = (
        "public_id", "user", "measure", "reason", "words", "evidence", "scope", "scope_id", "pace_s", "firing_id",
        "made_by", "made_at", "expires_at", "appeal_until", "lifted_at", "lifted_by", "lift_reason",
    )  # fmt: skip
    withheld = ("id",)


@register(Appeal, site=records)
class Appeals(Record):
    slug, thing, group, roles, personal = "appeals", "appeal", "people", JUDGES, True
    label, about = _("Appeals"), _("Rejections and limits that workers contested, with every step.")
    list_display = ("public_id", "worker", "requester", "state", "method", "opened_at", "decided_at")
    list_filter = (one_of("state"), one_of("method"))
    search_fields = ("public_id", "worker__public_id", "requester__public_id", "sanction__public_id")
    fields = (
        "public_id", "worker", "requester", "sanction", "words", "state", "method", "adjudicator", "opened_at",
        "refer_at", "decide_by", "decided_at",
    )  # fmt: skip
    # A rejection is a part of its assignment's record.
    withheld = ("id", "rejection")
    parts = (
        Part(
            _("Steps"),
            Step,
            "appeal",
            ("kind", "made_by", "reason", "adjudicator", "evidence", "made_at"),
            ("id", "appeal"),
        ),
    )
    decided_at = "staff_appeal"

"""What roles, scopes and states are called for people."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Role, Scope

Text = str | Promise

# Name, and what it may do; each role includes those after it.
ROLES: dict[str, tuple[Text, Text]] = {
    Role.OWNER: (_("Owner"), _("all of it, and says who else belongs here")),
    Role.MANAGER: (_("Manager"), _("makes projects and batches, spends money")),
    Role.REVIEWER: (_("Reviewer"), _("accepts and rejects answers, makes data sets")),
    Role.VIEWER: (_("Viewer"), _("sees everything, changes nothing")),
}
SCOPES: dict[str, tuple[Text, Text]] = {
    Scope.REQUESTER: (_("Post work"), _("projects, batches, answers, data and money of your organisations")),
    Scope.WORKER: (_("Do work"), _("take tasks and submit answers as a worker")),
    Scope.STAFF: (_("Run the market"), _("what staff may do")),
}

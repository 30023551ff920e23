"""Keys of the API: made with a password and, where there is one, a code; shown once; revoked."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.commands import create_key, revoke_key
from marketplace.accounts.models import Requester
from marketplace.accounts.queries import keys_of
from marketplace.accounts.second_factor import has_second_factor, spend
from marketplace.api.proofs import password_proof_of
from marketplace.common.database import value
from marketplace.common.errors import DomainError, NotFound
from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form, problem_on
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.start_forms import KeyForm
from marketplace.web.start_words import SCOPES
from workers.profiles.queries import worker_of

LIST = "console_keys"


@require_safe
@console_page()
def keys(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """His own keys: they are a person's, whatever organisations he belongs to."""
    now = value("SELECT market_now()")
    found = [
        (key, [SCOPES[scope][0] for scope in key.scopes], key.expiry is not None and key.expiry <= now)
        for key in keys_of(request.user.pk).order_by("-created")
    ]
    return render(request, "console/keys.html", {"requester": requester, "keys": found})


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def new(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """Make one; its text is on the page that answers, and nowhere else ever."""
    user = request.user
    second_factor = has_second_factor(user.pk)
    form = KeyForm(
        request.POST or None,
        worker=worker_of(user.pk) is not None,
        # The command makes none without a second factor.
        staff=user.is_staff and second_factor,
        second_factor=second_factor,
    )
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            proof = password_proof_of(request, password=said["password"], code=said.get("code", ""))
            with once_form(request) as sent:
                if repeated := sent.repeat_goes_to(LIST, requester.public_id):
                    return repeated
                if second_factor:
                    spend(proof, user_id=user.pk)
                key, token = create_key(user=user, name=said["name"], scopes=said["scopes"], life=form.life())
            return render(request, "console/key_made.html", {"requester": requester, "key": key, "token": token})
        except DomainError as error:
            problem_on(form, error)
    context = {"requester": requester, "form": form, "second_factor": second_factor}
    return render(request, "console/key_new.html", context, status=422 if form.is_bound else 200)


@act_only
@console_page()
def revoke(request: ConsoleRequest, requester: Requester, key: UUID) -> HttpResponse:
    """It opens nothing any more, at once."""
    try:
        with once_form(request) as sent:
            if sent.first:
                revoke_key(user_id=request.user.pk, public_id=key)
            return sent.redirect(LIST, requester.public_id, said=_("Revoked. It opens nothing any more."))
    except NotFound as error:
        raise Http404 from error

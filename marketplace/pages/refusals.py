"""Pages for what went wrong. They need neither database nor session, so they can always be shown."""

from django.http import HttpResponse
from django.template.loader import render_to_string

PAGES = {
    400: ("Bad request", "The request could not be read."),
    403: (
        "Not allowed",
        "You may not do this. If a form was open for long, load its page again and send it once more.",
    ),
    404: ("Not found", "There is nothing at this address."),
    429: ("Too many tries", "Wait a little before you try again."),
    500: ("Something went wrong", "It was on our side, and it has been logged."),
    503: ("Not available just now", "A part of the site does not answer. Try again in a moment."),
}

# When it is worth another try, where nothing better is known.
RETRY_AFTER_S = {429: 60, 503: 5}


def refusal_page(status: int) -> HttpResponse:
    """The page that says so, in words."""
    title, sentence = PAGES[status]
    body = render_to_string("pages/refused.html", {"title": title, "sentence": sentence, "plain": True})
    response = HttpResponse(body, status=status)
    if status in RETRY_AFTER_S:
        response["Retry-After"] = str(RETRY_AFTER_S[status])
    return response

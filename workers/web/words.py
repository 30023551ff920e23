"""What the worker's pages call things."""

from typing import Any

from django.conf.locale import LANG_INFO
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from workers.profiles.models import Content

Text = str | Promise

ANSWERS: dict[str, tuple[Text, str]] = {
    "boxes": (_("Boxes on pictures"), "box"),
    "choice": (_("Choose labels"), "check"),
    "cuboids": (_("Boxes in 3D"), "box"),
    "keypoints": (_("Points on pictures"), "point"),
    "mask": (_("Paint areas"), "image"),
    "number": (_("Numbers"), "edit"),
    "polygons": (_("Outlines on pictures"), "polygon"),
    "polylines": (_("Lines on pictures"), "polyline"),
    "preference": (_("Compare two"), "scales"),
    "ranking": (_("Put in order"), "sort"),
    "rating": (_("Rate"), "star"),
    "segments": (_("Mark sounds"), "sound"),
    "spans": (_("Mark words in texts"), "text"),
    "taxonomy": (_("Choose in a tree"), "layers"),
    "text": (_("Write"), "edit"),
    "tracks": (_("Follow through videos"), "play"),
    "transcription": (_("Write down what is said"), "sound"),
}
CONTENT: dict[str, tuple[Text, Text]] = {
    Content.VIOLENCE: (_("Violence"), _("fights, weapons, injuries, accidents")),
    Content.NUDITY: (_("Nudity and sex"), _("naked people, sexual acts; never minors")),
    Content.HATE: (_("Hate and harassment"), _("slurs, threats, extremist symbols")),
    Content.SELF_HARM: (_("Self-harm"), _("talk about or signs of harming oneself")),
    Content.MEDICAL: (_("Medical pictures"), _("wounds, surgery, illnesses")),
}
# What opens a batch that asks for something one does not have: in words, and the page where it is done.
_OPENS: dict[str, tuple[Text, str, Text]] = {
    "country": (_("If you live there, say so in your profile."), "work_profile", _("Your profile")),
    "languages": (_("If you speak it well, add it to your profile."), "work_profile", _("Your profile")),
    "content": (_("You may agree to this in your profile, and take it back at any time."), "work_profile",
                _("Your profile")),
    "device": (_("Open it on such a device."), "", ""),
    "account_age": (_("It depends on how old your account is."), "", ""),
    "skill": (_("This requester grants the skill, mostly after other work or a test of his."), "work_standing",
              _("Your skills")),
    "qualification": (_("This requester grants the qualification, mostly after a test of his."), "work_standing",
                      _("Your skills")),
    "score": (_("Good answers in open batches of the same project raise your score."), "work_standing",
              _("Your standing")),
    "list": (_("The requester chooses these workers himself."), "", ""),
    "batch": (_("Work in the requester's other batches opens it."), "", ""),
}  # fmt: skip


def answers_as(kind: str) -> Text:
    """What a type of answers is called."""
    return ANSWERS[kind][0] if kind in ANSWERS else kind.replace("_", " ")


def icon_of(kind: str) -> str:
    """The icon of a type of answers."""
    return ANSWERS[kind][1] if kind in ANSWERS else "edit"


def language_as(tag: str) -> str:
    """A language by its name for itself, or its tag where we know none."""
    known: Any = LANG_INFO.get(tag.lower()) or LANG_INFO.get(tag.lower().partition("-")[0])
    if not known or "name_local" not in known:
        return tag
    name = str(known["name_local"])
    name = name[:1].upper() + name[1:]
    return name if tag.lower() in LANG_INFO else f"{name} ({tag})"


def opening(lacks: tuple[str, ...]) -> dict[str, Any] | None:
    """What would open a batch, by what the worker lacks: `words`, and `to` with its `label` where a page helps."""
    for name in lacks:
        if name in _OPENS:
            words, page, label = _OPENS[name]
            try:
                to = reverse(page) if page else ""
            except NoReverseMatch:
                to = ""
            return {"words": words, "to": to, "label": label}
    return None

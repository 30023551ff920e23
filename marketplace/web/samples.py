"""Data of a task to look at while an interface is made: a real item where there is one, else something to see."""

from collections.abc import Mapping
from typing import Any

from django.templatetags.static import static

from marketplace.batches.models import Batch
from marketplace.batches.queries import sample_of
from marketplace.projects.models import Project
from marketplace.projects.starters import starters

TEXT = "Grace Hopper wrote to Ada Lovelace from Zürich on 3 May 1843. The letter reached London a week later."


def samples(project: Project, interface: Mapping[str, Any]) -> dict[str, Any]:
    """`names`: values by the name of a field; `types`: values by the type of one that has none by its name. Addresses
    of pictures and sounds are of this site."""
    names: dict[str, Any] = {}
    for field in interface.get("answer", ()):
        starter = starters().get(field.get("type"))
        if starter is not None:
            names = {**starter.sample, **names}
    latest = Batch.objects.filter(project=project).order_by("-pk").first()
    real = sample_of(latest) if latest is not None else None
    declared = {field["name"] for field in interface.get("data", ())}
    return {
        "names": {name: value for name, value in {**names, **(real or {})}.items() if name in declared},
        "types": {
            "text": TEXT,
            "markdown": f"**{TEXT}**",
            "image": static("console/sample.png"),
            "audio": static("console/sample.wav"),
            "table": [{"name": "Ada", "born": 1815}, {"name": "Grace", "born": 1906}],
            "url": "https://example.org/",
        },
    }

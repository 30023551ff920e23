"""How lines of the logs look: for people in a terminal, or one JSON object a line for those who collect them.

Every line of every process carries what is bound to it (`marketplace.common.tracing`): the request, and in a worker the
task that it comes from. Used by the settings, so it imports nothing of Django.
"""

from collections.abc import MutableMapping
from typing import Any

import structlog

Line = MutableMapping[str, Any]
FORMATS = ("plain", "json")
# What both kinds of loggers, the library's and Python's own, put on a line before it is written.
SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_config(form: str, level: str, *, requests: str) -> dict[str, Any]:
    """Django's `LOGGING`: lines of this form, ours from this level on, and one for each request from `requests` on.

    Other people's code is heard from WARNING on. Raises `ValueError` for a form that is not among `FORMATS`.
    """
    if form not in FORMATS:
        raise ValueError(f"TOUCHSTONE_LOG_FORMAT is {form!r}: choose one of {', '.join(FORMATS)}.")
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last = structlog.processors.JSONRenderer() if form == "json" else _plain
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": SHARED,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _named_by_route,
            structlog.processors.format_exc_info,
            last,
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": formatter},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        # A refusal is an answer: only what is our fault is worth a line.
        "loggers": {
            "touchstone": {"level": level},
            "touchstone.request": {"level": requests},
            # Begin and end of each task, at DEBUG; what failed, with its traceback, at ERROR.
            "django_structlog": {"level": level},
            "django.request": {"level": "ERROR"},
            # It would say once more, without the request, what `django_structlog` has said.
            "celery.app.trace": {"level": "CRITICAL"},
        },
    }


def route_of(request: Any) -> str:
    """The pattern that a request's address fits; empty where none does."""
    match = getattr(request, "resolver_match", None)
    return "" if match is None else str(match.route).replace("^", "").removesuffix("$")


def _named_by_route(_logger: Any, _method: str, line: Line) -> Line:
    """The framework's lines of failed requests, with the route in place of the address: that may open a door."""
    request = line.pop("request", None)
    address = getattr(request, "path", None)
    if address:
        line["event"] = str(line["event"]).replace(address, f"/{route_of(request)}")
    return line


def _plain(_logger: Any, _method: str, line: Line) -> str:
    """Time, level, who says it, what, and then what is bound; a traceback below."""
    traceback = line.pop("exception", None)
    first = [line.pop(name, "") for name in ("timestamp", "level", "logger", "event")]
    said = " ".join([str(first[0]), str(first[1]).upper(), *map(str, first[2:])])
    said += "".join(f" {name}={value}" for name, value in line.items())
    return f"{said}\n{traceback}" if traceback else said

"""Logging: structlog for everything, Django's and Celery's own messages included.

JSON lines in production, text for people in development; each line with its request id, hotel and user, and
nothing that `hotelagent.core.redaction` knows as personal or secret. Settings hold a plain `LOGGING` dictionary and
name `configure` as `LOGGING_CONFIG`, so that a deployment may still add a handler the way Django documents.
"""

import logging.config
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

from hotelagent.core.redaction import redact_event
from tenants.context import tenant_or_none


def add_hotel(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog's processor: the slug of the hotel that is set, `-` for the platform."""
    tenant = tenant_or_none()
    if tenant is not None:
        event.setdefault("hotel", tenant.slug or "-")
    return event


LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    add_hotel,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
]


def readable_lines() -> Any:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def formatter(*, json: bool) -> structlog.stdlib.ProcessorFormatter:
    """What turns any record, ours or a library's, into one line that holds nothing it must not."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, without_request],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact_event,
            structlog.processors.JSONRenderer() if json else readable_lines(),
        ],
    )


def without_request(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog's processor: Django hands its records the request object itself, headers and all; drop it."""
    for name in ("request", "sock", "server_time"):
        if not isinstance(event.get(name), str | None):
            del event[name]
    return event


def settings(*, json: bool, level: str) -> dict[str, Any]:
    """The value of `LOGGING`. `level` is that of our own and of libraries' messages alike.

    Raises ImproperlyConfigured where the level is none.
    """
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}. Set LOG_LEVEL to one of {', '.join(LEVELS)}.")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "json": json}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Their own handlers would print a second, unredacted line.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},  # 4xx stand in the request's own line
            "celery.app.trace": {"level": "ERROR"},  # the task's own lines say it
        },
    }


def configure(config: dict[str, Any]) -> None:
    """Django's `LOGGING_CONFIG`: called once, by `django.setup()`, with `LOGGING`."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

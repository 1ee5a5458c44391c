"""Logging with structlog, for the messages of this project and of its libraries, such as Django and Celery.

Production writes JSON lines, and development writes text. Each line contains the request id, the user and the fields
that apps add with `add_context`. `hotelagent.core.redaction` removes personal data and secrets from the lines. The
setting `LOGGING_CONFIG` names the function `configure`.
"""

import logging.config
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

from hotelagent.core.redaction import redact_event

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_context_providers: list[Callable[[], Mapping[str, str]]] = []


def add_context(provider: Callable[[], Mapping[str, str]]) -> None:
    """Add the fields that `provider` returns to every log line. Call this function in `AppConfig.ready`.

    `provider` is called for each log line, so it must not execute queries.
    """
    _context_providers.append(provider)


def current_context() -> dict[str, str]:
    """Return the fields that are currently added to each log line, such as the slug of the current hotel."""
    return {name: value for provider in _context_providers for name, value in provider().items()}


def add_context_fields(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add the fields of `current_context` to a log event. This structlog processor does not replace existing fields."""
    for name, value in current_context().items():
        event.setdefault(name, value)
    return event


def drop_request_objects(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Remove the request and socket objects that Django attaches to log records. This is a structlog processor."""
    for name in ("request", "sock", "server_time"):
        if not isinstance(event.get(name), str | None):
            del event[name]
    return event


_COMMON_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    add_context_fields,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
]


def formatter(*, json: bool) -> structlog.stdlib.ProcessorFormatter:
    """Return the formatter that turns log records into lines of JSON or text, without personal data and secrets."""
    text_renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_COMMON_PROCESSORS, drop_request_objects],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact_event,
            structlog.processors.JSONRenderer() if json else text_renderer,
        ],
    )


def logging_config(*, json: bool, level: str) -> dict[str, Any]:
    """Return the value of the setting `LOGGING`. `level` applies to the messages of the project and of libraries.

    Raises ImproperlyConfigured if the level is not one of `LEVELS`.
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
            # Django's default log handlers are removed, because these handlers would print personal data.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            # django-structlog logs the status of each response, so Django's warnings about 4xx responses are omitted.
            "django.request": {"level": "ERROR"},
            # django-structlog logs the start and the end of each task, so Celery's own messages are omitted.
            "celery.app.trace": {"level": "ERROR"},
        },
    }


def configure(config: dict[str, Any]) -> None:
    """Configure logging and structlog. `django.setup()` calls this function once with the setting `LOGGING`."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_COMMON_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

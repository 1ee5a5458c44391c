"""The system checks of event descriptions, and of the retention period, the signing key and the publication of audit
trails.
"""

import string
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.utils import translation

from audit import registry
from audit.errors import SigningKeyError
from audit.publishing.status import find_failures
from audit.sealing import keys
from audit.sealing.models import MAX_KEEP_DAYS, MIN_KEEP_DAYS

#: The check counts at most this number of failed publications.
_MAX_COUNTED = 100


@register
def check_description_placeholders(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - the signature of Django's checks
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Check that the placeholders in each event description are fields of the event, in every language."""
    errors: list[CheckMessage] = []
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for event_type in registry.all_types():
                placeholders = _placeholders(str(event_type.description))
                if unknown := sorted(placeholders - event_type.all_fields - {"actor", "subject"}):
                    errors.append(
                        Error(
                            f"The description of the event {event_type.name} in '{language}' contains {unknown}.",
                            hint="Use {actor}, {subject} or a registered field of the event.",
                            id="audit.E001",
                        )
                    )
    return errors


def _placeholders(description: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(description) if name}


@register(Tags.database)
def check_publication(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Warn if the newest checkpoints of some trails cannot be published. Only the first failure is named."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        failures = find_failures(_MAX_COUNTED)
    except DatabaseError:  # Other system checks report that the database is not available or not migrated.
        return []
    if not failures:
        return []
    first = failures[0]
    number = f"{len(failures)} or more" if len(failures) == _MAX_COUNTED else str(len(failures))
    return [
        Warning(
            f"Publications of checkpoints that fail: {number}. The log {first.log.origin} is not published (target: "
            f"{first.status.target}): {first.status.error}",
            hint="The page Publication of the platform's admin lists them. Publishing continues when the target works.",
            id="audit.W004",
        )
    ]


@register
def check_retention_period(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Check that the retention period of the audit trails is 0 or has at least the minimum number of days."""
    if settings.AUDIT_KEEP_DAYS == 0 or MIN_KEEP_DAYS <= settings.AUDIT_KEEP_DAYS <= MAX_KEEP_DAYS:
        return []
    return [
        Error(
            f"AUDIT_KEEP_DAYS is {settings.AUDIT_KEEP_DAYS}, but must be 0 or from {MIN_KEEP_DAYS} to {MAX_KEEP_DAYS}.",
            hint="Events of the audit trails are deleted after this number of days. 0 keeps the events for ever.",
            id="audit.E005",
        )
    ]


@register(Tags.security)
def check_signing_key(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Check that the configured key, which signs the audit trails, can be used.

    Processes that do not sign need no key. A missing key file is not reported, because an error would prevent the
    commands that create the database and the key file.
    """
    try:
        if keys.is_configured() and not keys.is_missing():
            keys.load_signing_keys()
    except SigningKeyError as error:
        return [
            Error(
                str(error),
                hint="The audit trails are not sealed without a key. See `manage.py audit_rotate_key --help`.",
                id="audit.E002",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_signing_key_exists(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Warn if no key is configured or the key file does not exist, because the audit trails are not sealed then."""
    if keys.is_configured() and not keys.is_missing():
        return []
    return [
        Warning(
            "No key signs the audit trails, so they are not sealed, and changes by someone with access to the database "
            "are not found.",
            hint="Set AUDIT_SIGNING_KEY_FILE to a new file, and run `manage.py audit_rotate_key FILE` with this file.",
            id="audit.W003",
        )
    ]

"""The system check of event descriptions. If a description uses an unknown field, its events cannot be displayed."""

import string
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils import translation

from audit import registry


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

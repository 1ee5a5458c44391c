"""A sentence that can't be rendered would break the page that shows it, so it is found before a deploy."""

import string
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils import translation

from audit import registry


@register
def sentences_use_what_events_carry(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django gives it
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for event_type in registry.all_types():
                used = {
                    name
                    for _text, name, _spec, _conv in string.Formatter().parse(str(event_type.sentence))
                    if name
                }
                if unknown := sorted(used - event_type.fields - {"actor", "subject"}):
                    problems.append(
                        Error(
                            f"The sentence of {event_type.name} in '{language}' uses {unknown}.",
                            hint="Use {actor}, {subject} or a field that the event is registered with.",
                            id="audit.E001",
                        )
                    )
    return problems

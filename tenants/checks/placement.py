"""System checks of the schemas that contain the tables of models.

Each model must have a placement, and no table of a hotel may have a foreign key to a shared table.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from tenants.database.placement import placement_of


@register(Tags.models)
def check_placement(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Check that every model has a placement, which defines the schemas that contain the model's table."""
    messages: list[CheckMessage] = []
    for model in apps.get_models(include_auto_created=True):
        try:
            placement_of(model._meta.app_label, model._meta.model_name)
        except ImproperlyConfigured as error:
            messages.append(Error(str(error), obj=model, id="tenants.E001"))
    return messages


@register(Tags.models)
def check_hotel_foreign_keys(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    **_options: Any,
) -> list[CheckMessage]:
    """Check that the tables of a hotel reference only each other.

    A hotel can then be backed up and moved without the tables of other hotels and of the platform.
    """
    messages: list[CheckMessage] = []
    for model in apps.get_models(include_auto_created=True):
        try:
            if not placement_of(model._meta.app_label, model._meta.model_name).in_hotel:
                continue
            for field in model._meta.local_fields:
                target = field.related_model
                if (
                    isinstance(target, type)
                    and getattr(field, "db_constraint", False)
                    and not placement_of(target._meta.app_label, target._meta.model_name).in_hotel
                ):
                    messages.append(
                        Error(
                            f"{field} is a foreign key from a hotel's table to a shared table.",
                            hint="Store the id of the other row in a plain field without a constraint.",
                            obj=model,
                            id="tenants.E002",
                        )
                    )
        except ImproperlyConfigured:
            # Skip this model, because check_placement() reports it as tenants.E001.
            continue
    return messages

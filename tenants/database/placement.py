"""Where a table lives: in the platform's schema, in each hotel's, or in both. The router obeys it, model by model."""

import enum

from django.core.exceptions import ImproperlyConfigured


class Placement(enum.Enum):
    PLATFORM = "platform"
    HOTEL = "hotel"
    BOTH = "both"

    @property
    def in_platform(self) -> bool:
        return self is not Placement.HOTEL

    @property
    def in_hotel(self) -> bool:
        return self is not Placement.PLATFORM


#: Whole apps. One that is missing here is refused: a table must not come to stand in a schema by accident.
APPS = {
    "admin": Placement.PLATFORM,
    "auth": Placement.PLATFORM,
    "contenttypes": Placement.PLATFORM,
    "django_celery_beat": Placement.PLATFORM,
    "waffle": Placement.PLATFORM,
    "sessions": Placement.BOTH,
    "audit": Placement.BOTH,
    "dlq": Placement.BOTH,
    "locks": Placement.HOTEL,
    "reminders": Placement.HOTEL,
}

#: `tenants` is split: what says which hotels there are is the platform's, who works with it is in both.
MODELS = {
    "tenants.user": Placement.BOTH,
    "tenants.apikey": Placement.BOTH,
    "tenants.idempotencykey": Placement.BOTH,
    "tenants.hotel": Placement.PLATFORM,
    "tenants.domain": Placement.PLATFORM,
    "tenants.contactidentifier": Placement.PLATFORM,
    "tenants.dueitem": Placement.PLATFORM,
    "tenants.template": Placement.PLATFORM,
    "tenants.routingversion": Placement.PLATFORM,
    "tenants.lease": Placement.PLATFORM,
    "tenants.redelivery": Placement.PLATFORM,
}


def placement_of(app_label: str, model_name: str | None = None) -> Placement:
    """Where a model's table lives; without a model, where the whole app's tables do.

    Raises ImproperlyConfigured for what nobody placed, and for an operation of `tenants` that names no model.
    """
    placement = APPS.get(app_label) or MODELS.get(f"{app_label}.{(model_name or '').lower()}")
    if placement is not None:
        return placement
    if model_name is None and any(label.startswith(f"{app_label}.") for label in MODELS):
        raise ImproperlyConfigured(
            f"The tables of {app_label} live in several places, so a RunPython or RunSQL of its migrations must "
            'say which: pass hints={"model_name": "hotel"} with the model it is about.'
        )
    raise ImproperlyConfigured(
        f"Nobody said where the tables of {app_label}{'.' + model_name if model_name else ''} live. "
        "Add it to tenants/database/placement.py."
    )

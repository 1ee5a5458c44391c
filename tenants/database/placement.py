"""The placement of each model's table: in the platform's schema, in each hotel's schema, or in both.

The database router enforces the placement.
"""

import enum

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db.models import ForeignKey, ForeignObjectRel


class Placement(enum.Enum):
    """The schemas in which a model has a table: the platform's schema, each hotel's schema, or both."""

    PLATFORM = "platform"
    HOTEL = "hotel"
    BOTH = "both"

    @property
    def in_platform(self) -> bool:
        return self is not Placement.HOTEL

    @property
    def in_hotel(self) -> bool:
        return self is not Placement.PLATFORM


#: The apps whose models all have the same placement.
#: There is no default placement, because a default could create the tables of a new app in the wrong schema.
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
    "pms": Placement.HOTEL,
}

#: The placement of each model of the app `tenants`, and of models whose placement differs from their app's placement.
#: The models of users and API keys have the placement BOTH, because the platform and each hotel have separate ones.
MODELS = {
    "tenants.user": Placement.BOTH,
    "tenants.apikey": Placement.BOTH,
    "tenants.idempotencykey": Placement.BOTH,
    "tenants.session": Placement.BOTH,
    "tenants.hotel": Placement.PLATFORM,
    "tenants.domain": Placement.PLATFORM,
    "tenants.contactidentifier": Placement.PLATFORM,
    "tenants.managerinvitation": Placement.PLATFORM,
    "tenants.hotelfigures": Placement.PLATFORM,
    "tenants.backupstate": Placement.PLATFORM,
    "tenants.hotelusage": Placement.PLATFORM,
    "tenants.supportsession": Placement.PLATFORM,
    "tenants.dueitem": Placement.PLATFORM,
    "tenants.schematemplate": Placement.PLATFORM,
    "tenants.routingversion": Placement.PLATFORM,
    "tenants.lease": Placement.PLATFORM,
    "tenants.sparerole": Placement.PLATFORM,
    "tenants.redelivery": Placement.PLATFORM,
    "audit.log": Placement.PLATFORM,
    "audit.storedtile": Placement.PLATFORM,
    "audit.storedcheckpoint": Placement.PLATFORM,
    "audit.logkey": Placement.PLATFORM,
    "audit.auditor": Placement.PLATFORM,
    "audit.savedsearch": Placement.PLATFORM,
    "reminders.setupprogress": Placement.PLATFORM,
    "dlq.failuresettings": Placement.PLATFORM,
    "dlq.cleanupprogress": Placement.PLATFORM,
    "dlq.failurefigures": Placement.PLATFORM,
    "dlq.erasure": Placement.PLATFORM,
}


def placement_of(app_label: str, model_name: str | None = None) -> Placement:
    """Return the placement of a model. The placement defines the schemas that contain the model's table.

    If `model_name` is None, return the placement of the whole app. For the app `tenants`, `model_name` is required,
    because its tables are in different schemas. Raises ImproperlyConfigured if APPS and MODELS contain no placement.
    """
    placement = MODELS.get(f"{app_label}.{(model_name or '').lower()}") or APPS.get(app_label)
    if placement is not None:
        return placement
    if model_name is None and any(label.startswith(f"{app_label}.") for label in MODELS):
        raise ImproperlyConfigured(
            f"The tables of {app_label} live in different schemas, so RunPython and RunSQL operations in its "
            'migrations must name a model: pass hints={"model_name": "hotel"} with the model that they are about.'
        )
    raise ImproperlyConfigured(
        f"The placement of {app_label}{'.' + model_name if model_name else ''} is not set. "
        "Add it to APPS or MODELS in tenants/database/placement.py."
    )


def list_hotel_references() -> list[tuple[str, str]]:
    """Return the shared tables with a foreign key to the Hotel model, as pairs of table name and column name."""
    hotel = apps.get_model("tenants.Hotel")
    return sorted(
        (relation.related_model._meta.db_table, relation.field.column)
        for relation in hotel._meta.get_fields(include_hidden=True)
        if isinstance(relation, ForeignObjectRel) and isinstance(relation.field, ForeignKey)
    )

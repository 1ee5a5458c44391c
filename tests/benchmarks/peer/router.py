"""A database router for django-tenants that creates each table in the same schema as hotelagent's router does."""

from typing import Any

from django.db import connections

from tenants.database.placement import placement_of


class PlacementRouter:
    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        connection: Any = connections[db]
        public = bool(connection.schema_name == "public")
        if app_label == "peer":
            return public
        placement = hints.get("placement") or placement_of(app_label, model_name)
        return placement.in_platform if public else placement.in_hotel

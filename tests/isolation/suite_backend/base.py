"""Our backend as django-tenants' own test suite expects one to begin: in `public`."""

from __future__ import annotations

from typing import Any

from tenants.database.backend import base


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        super().__init__(settings_dict, alias)
        self.set_schema_to_public()

"""Our backend with `public` as the initial schema, as the test suite of django-tenants expects."""

from __future__ import annotations

from typing import Any

from tenants.database.backend import base


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        super().__init__(settings_dict, alias)
        self.set_schema_to_public()

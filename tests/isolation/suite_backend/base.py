"""The project's database backend with the initial schema `public`, which the tests of django-tenants expect."""

from __future__ import annotations

from typing import Any

from tenants.database.backend import base


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        super().__init__(settings_dict, alias)
        self.set_schema_to_public()

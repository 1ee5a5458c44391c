"""What the role that serves requests may do to a table: everything, but where an app says less.

# audit/apps.py
privileges.restrict("audit.event", "SELECT, INSERT, UPDATE (position)")
"""

import re

from django.apps import apps

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"

_restricted: dict[str, str] = {}
#: Tables that no model of ours stands for.
_READ_ONLY_TABLES = ("django_migrations", "tenants_template")


def restrict(model_label: str, privileges: str) -> None:
    """Let hotels (and the platform's runtime login) do only this to the model's table. Call it in `ready()`.

    `privileges` is what GRANT takes, columns in brackets included.
    """
    _restricted[model_label] = privileges


def by_table() -> dict[str, str]:
    """The tables on which less than EVERYTHING is granted."""
    tables = {apps.get_model(label)._meta.db_table: privileges for label, privileges in _restricted.items()}
    return {**dict.fromkeys(_READ_ONLY_TABLES, "SELECT"), **tables}


def whole_table(privileges: str) -> list[str]:
    """The privileges that are on the whole table, not on some columns, in alphabetical order."""
    return sorted(re.findall(r"[A-Z]+", re.sub(r"[A-Z]+\s*\([^)]*\)", "", privileges)))

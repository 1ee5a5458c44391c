"""What the role that serves requests may do to a table: everything, but where an app says less.

# audit/apps.py
privileges.declare_table_privileges("audit.event", "SELECT, INSERT")
"""

from django.apps import apps

READ_WRITE = "SELECT, INSERT, UPDATE, DELETE"

_restricted: dict[str, str] = {}
#: Written by `migrate` alone.
_READ_ONLY_TABLES = ("django_migrations", "tenants_template")


def declare_table_privileges(model_label: str, privileges: str) -> None:
    """Let hotels (and the platform's runtime login) do only this to the model's table. Call it in `ready()`."""
    _restricted[model_label] = privileges


def restricted_tables() -> dict[str, str]:
    """The tables on which less than READ_WRITE is granted."""
    tables = {apps.get_model(label)._meta.db_table: privileges for label, privileges in _restricted.items()}
    return {**dict.fromkeys(_READ_ONLY_TABLES, "SELECT"), **tables}

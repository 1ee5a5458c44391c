"""Table privileges of the database roles that serve requests.

The roles may read and write each table, unless an app restricts the privileges on the table.

Example, in an app's `ready()`: `privileges.declare_table_privileges("audit.event", "SELECT, INSERT")`.
"""

from django.apps import apps

READ_WRITE = "SELECT, INSERT, UPDATE, DELETE"

#: Tables that only `migrate` writes.
_READ_ONLY_TABLES = ("django_migrations", "tenants_schematemplate")
_declared: dict[str, str] = {}
#: The letter for each privilege in access control lists, in the order in which PostgreSQL prints the letters.
#: PostgreSQL documents the letters at https://www.postgresql.org/docs/current/ddl-priv.html.
_ACL_LETTERS = {"INSERT": "a", "SELECT": "r", "UPDATE": "w", "DELETE": "d"}


def declare_table_privileges(model_label: str, allowed: str) -> None:
    """Limit the hotel roles and the runtime login to the given privileges on the model's table.

    Call this function in `AppConfig.ready()`. `migrate` grants the privileges.
    """
    _declared[model_label] = allowed


def restricted_tables() -> dict[str, str]:
    """Return the tables on which roles have fewer privileges than READ_WRITE, with the privileges of each table."""
    tables = {apps.get_model(label)._meta.db_table: allowed for label, allowed in _declared.items()}
    return {**dict.fromkeys(_READ_ONLY_TABLES, "SELECT"), **tables}


def acl_letters(allowed: str) -> str:
    """Convert privileges to the letters of PostgreSQL's access control lists. "SELECT, INSERT" is converted to "ar"."""
    granted = allowed.split(", ")
    return "".join(letter for privilege, letter in _ACL_LETTERS.items() if privilege in granted)

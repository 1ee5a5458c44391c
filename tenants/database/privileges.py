"""Table privileges of the database roles that serve requests.

The roles may read and write each table, unless an app restricts the privileges on the table.

Example, in an app's `ready()`: `privileges.declare_table_privileges("audit.event", "SELECT, INSERT")`.
"""

from collections.abc import Iterable

from django.apps import apps

from tenants.database import quoting

READ_WRITE = "SELECT, INSERT, UPDATE, DELETE"

#: Tables that only the command `migrate` writes, so the roles that serve requests may only read them.
_READ_ONLY_TABLES = ("django_migrations", "tenants_schematemplate")
_declared: dict[str, str] = {}
#: Maps a model to columns. Roles lack the privilege UPDATE on the table, but may update these columns.
_updatable_columns: dict[str, tuple[str, ...]] = {}
#: The letter for each privilege in access control lists, in the order in which PostgreSQL prints the letters.
#: PostgreSQL documents these letters for privileges at https://www.postgresql.org/docs/current/ddl-priv.html.
_ACL_LETTERS = {"INSERT": "a", "SELECT": "r", "UPDATE": "w", "DELETE": "d"}


def declare_table_privileges(model_label: str, allowed: str, *, update: Iterable[str] = ()) -> None:
    """Limit the hotel roles and the runtime login to the given privileges on the model's table.

    If `allowed` lacks UPDATE, `update` names the columns that the roles may update nevertheless. Call this function in
    `AppConfig.ready()`.
    """
    _declared[model_label] = allowed
    _updatable_columns[model_label] = tuple(sorted(update))


def restricted_tables() -> dict[str, str]:
    """Return the tables on which roles have fewer privileges than READ_WRITE, with the privileges of each table."""
    tables = {apps.get_model(label)._meta.db_table: allowed for label, allowed in _declared.items()}
    return {**dict.fromkeys(_READ_ONLY_TABLES, "SELECT"), **tables}


def updatable_columns() -> dict[str, tuple[str, ...]]:
    """Return a dict that maps tables to columns, for tables in which roles may update only these columns."""
    return {
        apps.get_model(label)._meta.db_table: columns
        for label, columns in _updatable_columns.items()
        if columns
    }


def restricted_grants() -> dict[str, str]:
    """Return a dict that maps each restricted table to its privileges in the syntax of the statement GRANT."""
    columns = updatable_columns()
    return {
        table: f"{allowed}, UPDATE ({quoting.identifiers(*columns[table])})" if table in columns else allowed
        for table, allowed in restricted_tables().items()
    }


def acl_letters(allowed: str) -> str:
    """Convert privileges to the letters of PostgreSQL's access control lists. "SELECT, INSERT" is converted to "ar"."""
    granted = allowed.split(", ")
    return "".join(letter for privilege, letter in _ACL_LETTERS.items() if privilege in granted)

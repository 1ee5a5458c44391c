"""The two PostgreSQL roles that log in: the owner on the direct connection, and the runtime login that serves requests.

This module lists the settings and attributes that the runtime login needs, and that `migrate` sets.
"""

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django.db.utils import ProgrammingError

from tenants.database import quoting

logger = logging.getLogger(__name__)

#: The first version of PostgreSQL whose role memberships have the options INHERIT and SET.
MEMBERSHIP_OPTIONS_SINCE = 160000

#: PostgreSQL settings that the runtime login always has, even if it is also the login of the database owner.
SETTINGS_OF_ANY_LOGIN = {
    # Our statements read few rows, so JIT compilation would cost more time than it saves.
    "jit": "off",
    # The default value of random_page_cost is intended for hard disks and too high for SSDs.
    # With the default random_page_cost, PostgreSQL scans a small table completely instead of using an index.
    # Database functions cache query plans, so a plan that scans a small table is still used when the table has grown.
    # PostgreSQL replaces the cached plan of a database function only when the table is analyzed again.
    "random_page_cost": "1.1",
}
#: PostgreSQL settings of a runtime login that does not own the database.
#: `migrate` stores the settings with ALTER ROLE, because poolers refuse startup options.
RUNTIME_SETTINGS = SETTINGS_OF_ANY_LOGIN | {
    "statement_timeout": "15s",
    "idle_in_transaction_session_timeout": "10s",
    "search_path": "",
    "TimeZone": "UTC",
}


@dataclass(frozen=True, slots=True)
class DatabaseLogins:
    """The names of the owner and the runtime login, and the server's version. The two names may be equal."""

    owner: str
    runtime: str
    server_version: int

    @property
    def is_single_login(self) -> bool:
        return self.owner == self.runtime

    @property
    def membership_options(self) -> str:
        """Return the options of `GRANT <role> TO <login>` that let the login SET ROLE but not inherit privileges."""
        return " WITH INHERIT FALSE, SET TRUE" if self.server_version >= MEMBERSHIP_OPTIONS_SINCE else ""


def runtime_login(owner: str) -> str:
    """Return the name of the role that DATABASE_URL logs in as, or `owner` if the URL has no user name.

    Supabase's pooler expects `role.project` as the user name and logs in as `role`
    (https://supabase.com/docs/guides/database/connecting-to-postgres).
    """
    runtime: dict[str, Any] = settings.DATABASES["default"]
    user = str(runtime.get("USER") or owner)
    if str(runtime.get("HOST", "")).endswith(".pooler.supabase.com"):
        user = user.partition(".")[0]
    return user


def get_database_logins(cursor: CursorWrapper) -> DatabaseLogins:
    """Return the names of the owner and the runtime login. The cursor must belong to the direct connection."""
    cursor.execute("SELECT current_user::text, current_setting('server_version_num')::int")
    owner, version = cursor.fetchone()
    return DatabaseLogins(owner=owner, runtime=runtime_login(owner), server_version=version)


def login_exists(cursor: CursorWrapper, login: str) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [login])
    return bool(cursor.fetchone()[0])


def can_create_roles(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


def login_inherits(cursor: CursorWrapper, login: str) -> bool:
    """Return whether the PostgreSQL role `login` has the attribute INHERIT.

    Before PostgreSQL 16, a role with INHERIT has all privileges of the roles that it is a member of.
    """
    cursor.execute("SELECT rolinherit FROM pg_roles WHERE rolname = %s", [login])
    return bool(cursor.fetchone()[0])


def count_memberships(cursor: CursorWrapper, login: str) -> int:
    """Return the number of PostgreSQL roles that the role `login` is a member of."""
    cursor.execute(
        "SELECT count(DISTINCT roleid) FROM pg_auth_members WHERE member = %s::regrole",
        [quoting.identifier(login)],
    )
    return int(cursor.fetchone()[0])


def missing_runtime_settings(cursor: CursorWrapper, logins: DatabaseLogins) -> list[str]:
    """Return the statements that give the runtime login its missing settings and attributes.

    The statements also revoke the privilege to create temporary tables, because a temporary table would remain in a
    session that a pooler also uses for other hotels. If the runtime login is also the owner, only
    `SETTINGS_OF_ANY_LOGIN` are set, because the time limits for requests would stop migrations and backups.
    """
    runtime = quoting.identifier(logins.runtime)
    cursor.execute("SELECT current_database(), rolinherit FROM pg_roles WHERE rolname = %s", [logins.runtime])
    database, inherits = cursor.fetchone()
    cursor.execute(
        "SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole "
        "JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %s AND d.datname = current_database()",
        [logins.runtime],
    )
    present = {row[0].replace('""', "") for row in cursor.fetchall()}
    required = SETTINGS_OF_ANY_LOGIN if logins.is_single_login else RUNTIME_SETTINGS
    statements = [
        f"ALTER ROLE {runtime} IN DATABASE {quoting.identifier(database)} SET {setting} = {quoting.literal(value)}"
        for setting, value in required.items()
        if f"{setting}={value}" not in present
    ]
    if inherits and not logins.is_single_login:
        statements.append(f"ALTER ROLE {runtime} NOINHERIT")
    return statements + _missing_temporary_revokes(cursor, database)


def _missing_temporary_revokes(cursor: CursorWrapper, database: str) -> list[str]:
    cursor.execute(
        "SELECT datdba = current_user::regrole, datdba = a.grantee OR a.grantee = current_user::regrole, "
        "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END "
        "FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a "
        "WHERE datname = current_database() AND a.privilege_type = 'TEMPORARY' ORDER BY 3"
    )
    rows = cursor.fetchall()
    others = [name for _, is_owner, name in rows if not is_owner]
    if not others:
        return []
    privilege = f"TEMPORARY ON DATABASE {quoting.identifier(database)}"
    statements = [f"REVOKE {privilege} FROM {', '.join(others)}"]
    owns_database = any(row[0] for row in rows)
    if not owns_database:
        cursor.execute("SELECT current_user::regrole::text")
        statements.insert(0, f"GRANT {privilege} TO {cursor.fetchone()[0]}")
    return statements


def apply_runtime_settings(cursor: CursorWrapper, logins: DatabaseLogins) -> list[str]:
    """Set the missing settings of the runtime login. Return the statements that the owner has no privilege to run."""
    for statement in missing_runtime_settings(cursor, logins):
        try:
            with transaction.atomic():
                cursor.execute(statement)
        except ProgrammingError:
            logger.warning("permission denied, an administrator must run: %s", statement)
    # If a REVOKE has no effect, PostgreSQL raises a warning instead of an error.
    return missing_runtime_settings(cursor, logins)

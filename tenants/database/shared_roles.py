"""The group of hotel roles, the runtime login and `public`: who may do what to the shared tables."""

import logging

from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django.db.utils import ProgrammingError

from tenants.database import privileges, quoting
from tenants.database.roles import DatabaseLogins, create_if_missing, group_role

logger = logging.getLogger(__name__)

#: What a hotel may do to the shared tables; the rows are its own (`_OWN_ROWS`).
HOTELS_MAY = {
    "django_content_type": "SELECT",
    "tenants_hotel": "SELECT",
    "tenants_dueitem": "SELECT, INSERT, UPDATE, DELETE",
    "tenants_contactidentifier": "SELECT",
    # Flags are the platform's to set and everybody's to read; waffle looks for people and groups named by one.
    "waffle_flag": "SELECT",
    "waffle_switch": "SELECT",
    "waffle_sample": "SELECT",
    "waffle_flag_users": "SELECT",
    "waffle_flag_groups": "SELECT",
    "auth_group": "SELECT",
}
#: The column that says whose row it is.
_OWN_ROWS = {"tenants_hotel": "id", "tenants_dueitem": "hotel_id", "tenants_contactidentifier": "hotel_id"}

#: The settings that the runtime login gets even if it is the owner.
#: `jit`: our statements read few rows, so JIT compilation saves no time. PostgreSQL compiles a statement if the
#: estimated cost of its plan exceeds `jit_above_cost`, and `enable_seqscan = off` in our functions raises that
#: estimate. Acquiring a room on Debian's PostgreSQL 15 took 180 ms with JIT compilation and 1 ms without it.
SETTINGS_OF_ANY_LOGIN = {"jit": "off"}
#: Of the runtime login in this database, for a pooler refuses start-up options.
RUNTIME_SETTINGS = SETTINGS_OF_ANY_LOGIN | {
    "statement_timeout": "15s",
    "idle_in_transaction_session_timeout": "10s",
    "search_path": "",
    "TimeZone": "UTC",
}
#: Supabase serves `public` to these over its data API.
DATA_API_ROLES = ("anon", "authenticated")


def ensure(cursor: CursorWrapper, who: DatabaseLogins) -> list[str]:
    """Bring the shared roles and rights to what they should be; what was right is left alone.

    Runs as the owner, after `public` is migrated. Returns what the owner may not do and an administrator must,
    as statements. Raises where nothing works without it (the group role, the policies).
    """
    cursor.execute(create_if_missing(group_role()))
    cursor.execute(_public_sql(cursor, who))
    _ensure_policies(cursor, who)
    return ensure_settings(cursor, who)


def ensure_settings(cursor: CursorWrapper, who: DatabaseLogins) -> list[str]:
    """Give the runtime login the settings that it lacks. Return the statements that the owner may not run."""
    return _attempt(cursor, missing_from_runtime(cursor, who))


def login_exists(cursor: CursorWrapper, login: str) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [login])
    return bool(cursor.fetchone()[0])


def may_create_roles(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


def login_inherits(cursor: CursorWrapper, login: str) -> bool:
    """Whether the login has, before PostgreSQL 16, each right of each role that it may take."""
    cursor.execute("SELECT rolinherit FROM pg_roles WHERE rolname = %s", [login])
    return bool(cursor.fetchone()[0])


def readable_to_strangers(cursor: CursorWrapper) -> list[str]:
    """Return the tables and functions of `public` on which PUBLIC or Supabase's data API has a privilege."""
    cursor.execute(
        "SELECT DISTINCT c.relname::text FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r "
        "ON r.oid = a.grantee WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND (a.grantee = 0 OR r.rolname = ANY(%(data_api)s)) AND c.relowner = current_user::regrole UNION "
        # A function without an ACL has the default one, in which PUBLIC may execute it.
        "SELECT p.proname::text FROM pg_proc p, "
        "aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
        "WHERE p.pronamespace = 'public'::regnamespace AND (a.grantee = 0 OR r.rolname = ANY(%(data_api)s)) "
        "AND p.proowner = current_user::regrole ORDER BY 1",
        {"data_api": list(DATA_API_ROLES)},
    )
    return [row[0] for row in cursor.fetchall()]


def _public_sql(cursor: CursorWrapper, who: DatabaseLogins) -> str:
    cursor.execute(
        "SELECT c.relname, c.relkind = 'S' FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
        "AND c.relkind IN ('r', 'p', 'S') AND c.relowner = current_user::regrole ORDER BY 1"
    )
    rows = cursor.fetchall()
    tables = [table for table, is_sequence in rows if not is_sequence]
    sequences = [table for table, is_sequence in rows if is_sequence]
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(DATA_API_ROLES)])
    strangers = ", ".join(["PUBLIC", *(quoting.identifier(row[0]) for row in cursor.fetchall())])
    group, runtime = quoting.identifier(group_role()), quoting.identifier(who.runtime)
    listed = ", ".join(quoting.qualified_name("public", table) for table in tables)
    restricted = privileges.restricted_tables()
    lines = [
        f"REVOKE ALL ON SCHEMA public FROM {strangers};",
        f"GRANT USAGE ON SCHEMA public TO {group};",
        f"REVOKE ALL ON {listed} FROM {strangers}, {group};",
        *(
            f"GRANT {may} ON public.{quoting.identifier(table)} TO {group};"
            for table, may in HOTELS_MAY.items()
        ),
    ]
    if not who.same:
        lines += [
            f"GRANT USAGE ON SCHEMA public TO {runtime};",
            f"GRANT {privileges.READ_WRITE} ON {listed} TO {runtime};",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {privileges.READ_WRITE} ON TABLES TO {runtime};",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {runtime};",
            *(
                f"REVOKE ALL ON public.{quoting.identifier(table)} FROM {runtime}; "
                f"GRANT {restricted[table]} ON public.{quoting.identifier(table)} TO {runtime};"
                for table in tables
                if table in restricted
            ),
        ]
        if sequences:
            owned = ", ".join(quoting.qualified_name("public", sequence) for sequence in sequences)
            lines.append(f"GRANT USAGE, SELECT ON {owned} TO {runtime};")
    if functions := ", ".join(_functions(cursor)):
        lines += [
            f"REVOKE ALL ON FUNCTION {functions} FROM {strangers};",
            f"GRANT EXECUTE ON FUNCTION {functions} TO {group};",
        ]
    return "\n".join(lines)


def _functions(cursor: CursorWrapper) -> list[str]:
    """Return the owner's functions in `public`, with their arguments, as SQL."""
    cursor.execute(
        "SELECT format('public.%I(%s)', proname, pg_get_function_identity_arguments(oid)) FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND proowner = current_user::regrole ORDER BY 1"
    )
    return [row[0] for row in cursor.fetchall()]


def _ensure_policies(cursor: CursorWrapper, who: DatabaseLogins) -> None:
    """A hotel sees its own rows; the runtime login, which serves the platform when it took no role, sees all.

    The owner is not held by policies. Looked up first: CREATE POLICY would lock the table against readers.
    """
    cursor.execute(
        "SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = ANY(%s) "
        "AND (policyname = 'own_rows' AND roles = ARRAY[%s]::name[] OR "
        "policyname = 'platform' AND roles = ARRAY[%s]::name[])",
        [list(_OWN_ROWS), group_role(), who.runtime],
    )
    present = set(cursor.fetchall())
    for table, column in _OWN_ROWS.items():
        target = quoting.qualified_name("public", table)
        own = f"{quoting.identifier(column)} = substr(current_user::text, 7)::uuid"
        if (table, "own_rows") not in present:
            cursor.execute(
                f"DROP POLICY IF EXISTS own_rows ON {target}; CREATE POLICY own_rows ON {target} "
                f"TO {quoting.identifier(group_role())} USING ({own}) WITH CHECK ({own})"
            )
        if (table, "platform") not in present:
            cursor.execute(
                f"DROP POLICY IF EXISTS platform ON {target}; CREATE POLICY platform ON {target} "
                f"TO {quoting.identifier(who.runtime)} USING (true) WITH CHECK (true)"
            )
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", [target])
        if not cursor.fetchone()[0]:
            cursor.execute(f"ALTER TABLE {target} ENABLE ROW LEVEL SECURITY")


def missing_from_runtime(cursor: CursorWrapper, who: DatabaseLogins) -> list[str]:
    """Return the statements that give the runtime login what it lacks.

    If the runtime login is the owner, it gets `SETTINGS_OF_ANY_LOGIN` only: migrations and backups may take longer
    than the time limits of requests.
    """
    runtime = quoting.identifier(who.runtime)
    cursor.execute("SELECT current_database(), rolinherit FROM pg_roles WHERE rolname = %s", [who.runtime])
    database, inherits = cursor.fetchone()
    cursor.execute(
        "SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole "
        "JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %s AND d.datname = current_database()",
        [who.runtime],
    )
    settled = {row[0].replace('""', "") for row in cursor.fetchall()}
    statements = [
        f"ALTER ROLE {runtime} IN DATABASE {quoting.identifier(database)} SET {setting} = {quoting.literal(value)}"
        for setting, value in (SETTINGS_OF_ANY_LOGIN if who.same else RUNTIME_SETTINGS).items()
        if f"{setting}={value}" not in settled
    ]
    if inherits and not who.same:
        statements.append(f"ALTER ROLE {runtime} NOINHERIT")
    return statements


def _attempt(cursor: CursorWrapper, statements: list[str]) -> list[str]:
    refused = []
    for statement in statements:
        try:
            with transaction.atomic():
                cursor.execute(statement)
        except ProgrammingError:
            logger.warning("not allowed, an administrator must run it: %s", statement)
            refused.append(statement)
    return refused

"""Privileges on the shared schema `public`, for the group role of all hotels, the runtime login and all other roles."""

from django.db.backends.utils import CursorWrapper

from tenants.database import catalog, privileges, quoting
from tenants.database.logins import DatabaseLogins, apply_runtime_settings
from tenants.database.roles import create_role_if_missing_sql, group_role

#: Privileges of hotel roles on the shared tables. Row-level security limits the privileges to the rows of the hotel.
HOTEL_PRIVILEGES = {
    "django_content_type": "SELECT",
    "tenants_hotel": "SELECT",
    "tenants_dueitem": "SELECT, INSERT, UPDATE, DELETE",
    "tenants_contactidentifier": "SELECT",
    "tenants_hotelusage": "SELECT",
    "audit_auditor": "SELECT, INSERT, UPDATE, DELETE",
    "audit_savedsearch": "SELECT, INSERT, UPDATE, DELETE",
    "dlq_failuresettings": "SELECT, INSERT, UPDATE, DELETE",
    "dlq_cleanupprogress": "SELECT, INSERT, UPDATE, DELETE",
    "dlq_failurefigures": "SELECT, INSERT, UPDATE, DELETE",
    "dlq_erasure": "SELECT, INSERT, UPDATE",
    "reminders_setupprogress": "SELECT, INSERT, UPDATE",
    # The platform sets the feature flags, and every hotel reads them.
    # To evaluate a flag, the package waffle also reads the users and groups for which the flag is enabled.
    "waffle_flag": "SELECT",
    "waffle_switch": "SELECT",
    "waffle_sample": "SELECT",
    "waffle_flag_users": "SELECT",
    "waffle_flag_groups": "SELECT",
    "auth_group": "SELECT",
}
#: The columns of shared tables that contain the id of the hotel that owns the row.
_ROW_OWNER_COLUMNS = {
    "tenants_hotel": "id",
    "tenants_dueitem": "hotel_id",
    "tenants_contactidentifier": "hotel_id",
    "tenants_hotelusage": "hotel_id",
    "audit_auditor": "hotel_id",
    "audit_savedsearch": "hotel_id",
    "dlq_failuresettings": "hotel_id",
    "dlq_cleanupprogress": "hotel_id",
    "dlq_failurefigures": "tenant_id",
    "dlq_erasure": "hotel_id",
    "reminders_setupprogress": "hotel_id",
}

#: The PostgreSQL roles of Supabase's data API, which makes the schema `public` accessible over HTTP.
DATA_API_ROLES = ("anon", "authenticated")


def ensure_shared_privileges(cursor: CursorWrapper, logins: DatabaseLogins) -> list[str]:
    """Create the group role of all hotel roles, and the missing privileges, row-level policies and login settings.

    Runs as the owner, after the migrations of `public`. Returns the SQL statements that the owner has no privilege to
    run, and that an administrator must run. Raises a database error if the group role or the policies cannot be
    created, because hotels cannot be served without them.
    """
    cursor.execute(create_role_if_missing_sql(group_role()))
    cursor.execute(_privileges_sql(cursor, logins))
    _ensure_policies(cursor, logins)
    return apply_runtime_settings(cursor, logins)


def find_exposed_objects(cursor: CursorWrapper) -> list[str]:
    """Return the tables and functions of `public` on which PUBLIC or a role of Supabase's data API has a privilege."""
    cursor.execute(
        f"SELECT DISTINCT c.relname::text FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation "  # noqa: S608
        "JOIN pg_class c ON c.oid = relation.objid, aclexplode(c.relacl) a LEFT JOIN pg_roles r "
        "ON r.oid = a.grantee WHERE c.relkind IN ('r', 'p') "
        "AND (a.grantee = 0 OR r.rolname = ANY(%(data_api)s)) AND c.relowner = current_user::regrole UNION "
        # A function without an ACL has the default privileges, which let PUBLIC execute it.
        "SELECT p.proname::text FROM pg_proc p, "
        "aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
        "WHERE p.pronamespace = 'public'::regnamespace AND (a.grantee = 0 OR r.rolname = ANY(%(data_api)s)) "
        "AND p.proowner = current_user::regrole ORDER BY 1",
        {"schema": "public", "data_api": list(DATA_API_ROLES)},
    )
    return [row[0] for row in cursor.fetchall()]


def _privileges_sql(cursor: CursorWrapper, logins: DatabaseLogins) -> str:
    cursor.execute(
        f"SELECT c.relname, c.relkind = 'S' FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation "  # noqa: S608
        "JOIN pg_class c ON c.oid = relation.objid WHERE c.relkind IN ('r', 'p', 'S') "
        "AND c.relowner = current_user::regrole ORDER BY 1",
        {"schema": "public"},
    )
    rows = cursor.fetchall()
    tables = [name for name, is_sequence in rows if not is_sequence]
    sequences = [name for name, is_sequence in rows if is_sequence]
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(DATA_API_ROLES)])
    outsiders = ", ".join(["PUBLIC", *(quoting.identifier(row[0]) for row in cursor.fetchall())])
    group, runtime = quoting.identifier(group_role()), quoting.identifier(logins.runtime)
    all_tables = ", ".join(quoting.qualified_name("public", table) for table in tables)
    restricted = privileges.restricted_grants()
    lines = [
        f"REVOKE ALL ON SCHEMA public FROM {outsiders};",
        f"GRANT USAGE ON SCHEMA public TO {group};",
        f"REVOKE ALL ON {all_tables} FROM {outsiders}, {group};",
        *(
            f"GRANT {allowed} ON public.{quoting.identifier(table)} TO {group};"
            for table, allowed in HOTEL_PRIVILEGES.items()
        ),
    ]
    if not logins.is_single_login:
        lines += [
            f"GRANT USAGE ON SCHEMA public TO {runtime};",
            f"GRANT {privileges.READ_WRITE} ON {all_tables} TO {runtime};",
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
            all_sequences = ", ".join(quoting.qualified_name("public", sequence) for sequence in sequences)
            lines.append(f"GRANT USAGE, SELECT ON {all_sequences} TO {runtime};")
    if functions := ", ".join(_list_functions(cursor)):
        lines += [
            f"REVOKE ALL ON FUNCTION {functions} FROM {outsiders};",
            f"GRANT EXECUTE ON FUNCTION {functions} TO {group};",
            *([] if logins.is_single_login else [f"GRANT EXECUTE ON FUNCTION {functions} TO {runtime};"]),
        ]
    return "\n".join(lines)


def _list_functions(cursor: CursorWrapper) -> list[str]:
    """Return the signatures of the functions that the owner has created in `public`, as SQL text."""
    cursor.execute(
        "SELECT format('public.%I(%s)', proname, pg_get_function_identity_arguments(oid)) FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND proowner = current_user::regrole ORDER BY 1"
    )
    return [row[0] for row in cursor.fetchall()]


def _ensure_policies(cursor: CursorWrapper, logins: DatabaseLogins) -> None:
    """Create the row-level policies that are missing.

    A hotel's role sees the rows that the hotel owns. The runtime login, which serves the platform when no role is
    set, sees all rows. PostgreSQL does not apply policies to the owner of a table.
    """
    # CREATE POLICY blocks all queries on the table, so it runs only for policies that do not exist.
    cursor.execute(
        "SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = ANY(%s) "
        "AND (policyname = 'own_rows' AND roles = ARRAY[%s]::name[] OR "
        "policyname = 'platform' AND roles = ARRAY[%s]::name[])",
        [list(_ROW_OWNER_COLUMNS), group_role(), logins.runtime],
    )
    present = set(cursor.fetchall())
    for table, column in _ROW_OWNER_COLUMNS.items():
        target = quoting.qualified_name("public", table)
        is_own_row = f"{quoting.identifier(column)} = substr(current_user::text, 7)::uuid"
        if (table, "own_rows") not in present:
            cursor.execute(
                f"DROP POLICY IF EXISTS own_rows ON {target}; CREATE POLICY own_rows ON {target} "
                f"TO {quoting.identifier(group_role())} USING ({is_own_row}) WITH CHECK ({is_own_row})"
            )
        if (table, "platform") not in present:
            cursor.execute(
                f"DROP POLICY IF EXISTS platform ON {target}; CREATE POLICY platform ON {target} "
                f"TO {quoting.identifier(logins.runtime)} USING (true) WITH CHECK (true)"
            )
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", [target])
        if not cursor.fetchone()[0]:
            cursor.execute(f"ALTER TABLE {target} ENABLE ROW LEVEL SECURITY")

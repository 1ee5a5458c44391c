"""Checks that the database still protects a trail from changes: by triggers, their functions, and privileges."""

import re
from collections.abc import Iterable

from django.db import connection

from audit.row_changes.tables import tables_of_current_tenant
from audit.row_changes.triggers import trigger_definitions
from audit.verification.results import InvalidTrail
from tenants.context import current_tenant
from tenants.database.function_migrations import sources
from tenants.tracked_rows import TrackedTable

#: Maps each trigger of `audit_event` to the two parts of its definition: before and after the name of the table.
TRIGGERS = {
    "audit_event_append_only": (
        "BEFORE TRUNCATE",
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()",
    ),
    "audit_event_retention_only": (
        "AFTER DELETE",
        "REFERENCING OLD TABLE AS deleted_events FOR EACH STATEMENT EXECUTE FUNCTION audit_check_deletion()",
    ),
    "audit_event_erasure_only": ("BEFORE UPDATE", "FOR EACH ROW EXECUTE FUNCTION audit_check_erasure()"),
}
_BODY = re.compile(r"AS \$\$(.*)\$\$", re.DOTALL)

# The definition of a trigger without the schema names of the table and the function.
_DEFINITIONS = """
SELECT relname::text, tgname::text, tgenabled::text,
    replace(replace(pg_get_triggerdef(t.oid), 'FUNCTION public.', 'FUNCTION '),
        format(' ON %%I.%%I ', nspname, relname), format(' ON %%I ', relname))
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = %s AND relname = ANY(%s) AND NOT tgisinternal
"""
_SOURCES = """
SELECT proname::text, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY(%s)
"""
#: This query finds privileges that let a role other than the owner change or delete audit events.
_GRANTS = """
SELECT coalesce(r.rolname, 'PUBLIC')::text, a.privilege_type, attname FROM (
    SELECT relowner, relacl AS acl, NULL::text AS attname FROM pg_class
    WHERE oid = (quote_ident(%(schema)s) || '.audit_event')::regclass
    UNION ALL
    SELECT relowner, attacl, attname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE pg_class.oid = (quote_ident(%(schema)s) || '.audit_event')::regclass
) AS t, aclexplode(t.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE a.grantee <> t.relowner AND a.privilege_type NOT IN ('SELECT', 'INSERT')
    AND NOT (a.privilege_type = 'UPDATE' AND attname = 'personal')
ORDER BY 1, 2
"""
_REPLICATION_ROLE = """
SELECT coalesce(r.rolname, d.datname, 'all')::text FROM pg_db_role_setting s
LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE EXISTS (SELECT FROM unnest(setconfig) AS value WHERE value LIKE 'session_replication_role=%%')
"""


def check_protection() -> None:
    """Check the triggers and privileges of the current tenant's trail and of the tracked tables.

    Raises InvalidTrail. The error contains no position in the log, because the problem is not in an event.
    """
    schema = current_tenant().schema
    tables = tables_of_current_tenant()
    with connection.cursor() as cursor:
        cursor.execute(_DEFINITIONS, [schema, ["audit_event", *(table.name for table in tables)]])
        found = {
            (table, name): (enabled, definition) for table, name, enabled, definition in cursor.fetchall()
        }
        functions = sources("audit")
        cursor.execute(_SOURCES, [list(functions)])
        installed = dict(cursor.fetchall())
        cursor.execute(_GRANTS, {"schema": schema})
        grants = cursor.fetchall()
        cursor.execute(_REPLICATION_ROLE)
        settings = [row[0] for row in cursor.fetchall()]
    for (table, name), expected in _expected_triggers(tables).items():
        enabled, definition = found.get((table, name), ("", ""))
        if enabled not in {"O", "A"}:
            raise InvalidTrail(None, f"The trigger {name} of {schema}.{table} is missing or disabled.")
        if definition != expected:
            raise InvalidTrail(None, f"The trigger {name} of {schema}.{table} was changed: {definition}.")
    for function, text in functions.items():
        if installed.get(function) != body_of(text):
            raise InvalidTrail(None, f"The database function {function} was changed.")
    for role, privilege, _column in grants:
        raise InvalidTrail(
            None,
            f"The role {role} has the privilege {privilege} on {schema}.audit_event. Run `manage.py migrate`.",
        )
    for role in settings:
        raise InvalidTrail(None, f"session_replication_role is set for {role}, which turns off triggers.")


def _expected_triggers(tables: Iterable[TrackedTable]) -> dict[tuple[str, str], str]:
    """Return the definitions of all triggers that protect the trail or record changed rows."""
    definitions = {
        ("audit_event", name): f"CREATE TRIGGER {name} {event} ON audit_event {action}"
        for name, (event, action) in TRIGGERS.items()
    }
    for table in tables:
        definitions |= {(table.name, name): sql for name, sql in trigger_definitions(table).items()}
    return definitions


def body_of(text: str) -> str:
    """Return the body of a database function from the text of its SQL file, as PostgreSQL stores the body."""
    match = _BODY.search(text)
    return match[1] if match else ""

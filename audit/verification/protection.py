"""Checks that the database still protects a trail from changes: by triggers, their functions, and privileges."""

import re

from django.db import connection

from audit.verification.results import InvalidTrail
from tenants.context import current_tenant
from tenants.database.function_migrations import sources

#: The triggers of `audit_event`, with the function of each trigger.
TRIGGERS = {
    "audit_event_append_only": "audit_refuse_change",
    "audit_event_retention_only": "audit_check_deletion",
    "audit_event_erasure_only": "audit_check_erasure",
}
_BODY = re.compile(r"AS \$\$(.*)\$\$", re.DOTALL)

_TRIGGERS_OF_TABLE = """
SELECT tgname::text, tgenabled::text, tgfoid::regproc::text FROM pg_trigger
WHERE tgrelid = (quote_ident(%s) || '.audit_event')::regclass AND NOT tgisinternal
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
    """Check the triggers and privileges of the current tenant's trail. Raises InvalidTrail if one is wrong."""
    schema = current_tenant().schema
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS_OF_TABLE, [schema])
        triggers = {name: (enabled, function) for name, enabled, function in cursor.fetchall()}
        functions = sources("audit")
        cursor.execute(_SOURCES, [list(functions)])
        installed = dict(cursor.fetchall())
        cursor.execute(_GRANTS, {"schema": schema})
        grants = cursor.fetchall()
        cursor.execute(_REPLICATION_ROLE)
        settings = [row[0] for row in cursor.fetchall()]
    for name, function in TRIGGERS.items():
        enabled, actual = triggers.get(name, ("", ""))
        if enabled not in {"O", "A"}:
            raise InvalidTrail(None, f"The trigger {name} of {schema}.audit_event is missing or disabled.")
        if actual.rpartition(".")[2] != function:
            raise InvalidTrail(
                None, f"The trigger {name} of {schema}.audit_event calls {actual}, not {function}."
            )
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


def body_of(text: str) -> str:
    """Return the body of a database function from the text of its SQL file, as PostgreSQL stores the body."""
    match = _BODY.search(text)
    return match[1] if match else ""

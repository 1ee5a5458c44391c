"""The walls inside the database (DESIGN 4.3): one role a hotel, a group of them, and the runtime login's rights.

They guard against our mistakes: a statement without its hotel gets "permission denied", not another hotel's
guests. They don't guard against injected SQL, which could RESET ROLE.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from tenants.database import privileges, quoting
from tenants.models import Hotel

#: The first PostgreSQL whose memberships have INHERIT and SET of their own.
MEMBERSHIP_OPTIONS_SINCE = 160000


@dataclass(frozen=True, slots=True)
class DatabaseLogins:
    """Who logs in: the owner on the direct route, `runtime` on the other. They may be one and the same."""

    owner: str
    runtime: str
    server_version: int

    @property
    def same(self) -> bool:
        return self.owner == self.runtime

    @property
    def membership(self) -> str:
        """What makes a role takeable (SET ROLE) without lending its rights to who may take it."""
        return " WITH INHERIT FALSE, SET TRUE" if self.server_version >= MEMBERSHIP_OPTIONS_SINCE else ""


def group_role() -> str:
    return f"{settings.DATABASE_ROLE_PREFIX}_hotels"


def runtime_login(owner: str) -> str:
    """The role that DATABASE_URL logs in as; `owner` where it names none.

    Supabase's pooler takes `role.project` and logs in as `role`.
    https://supabase.com/docs/guides/database/connecting-to-postgres
    """
    runtime: dict[str, Any] = settings.DATABASES["default"]
    user = str(runtime.get("USER") or owner)
    if str(runtime.get("HOST", "")).endswith(".pooler.supabase.com"):
        user = user.partition(".")[0]
    return user


def get_database_logins(cursor: CursorWrapper) -> DatabaseLogins:
    """Asked on the direct route."""
    cursor.execute("SELECT current_user::text, current_setting('server_version_num')::int")
    owner, version = cursor.fetchone()
    return DatabaseLogins(owner=owner, runtime=runtime_login(owner), server_version=version)


def create_role_sql(*, role: str, who: DatabaseLogins) -> str:
    """A hotel's role: it can't log in, inherits what the group may read of `public`, and the runtime may take it."""
    return (
        f"{create_if_missing(role)}"
        f"GRANT {quoting.identifier(group_role())} TO {quoting.identifier(role)};\n"
        f"GRANT {quoting.identifier(role)} TO {quoting.identifier(who.runtime)}{who.membership};\n"
    )


def create_if_missing(role: str) -> str:
    """There is no CREATE ROLE IF NOT EXISTS, and two may try at once: the loser finds it made."""
    return (
        f"DO $$BEGIN CREATE ROLE {quoting.identifier(role)} NOLOGIN;\n"
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END$$;\n"
    )


@dataclass(frozen=True, slots=True)
class Relations:
    """What a schema has that rights are granted on. An identity's sequence is not among them: it needs none."""

    tables: list[str]
    sequences: list[str]


def relations_of(cursor: CursorWrapper, schema: str) -> Relations:
    cursor.execute(
        "SELECT c.relname::text, c.relkind = 'S' FROM pg_class c WHERE c.relnamespace = %s::regnamespace "
        "AND (c.relkind IN ('r', 'p') OR c.relkind = 'S' AND NOT EXISTS ("
        "SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i')) "
        "ORDER BY 1",
        [quoting.identifier(schema)],
    )
    rows = cursor.fetchall()
    return Relations(
        [name for name, sequence in rows if not sequence], [name for name, sequence in rows if sequence]
    )


def grants_sql(*, schema: str, role: str, relations: Relations) -> str:
    """What a hotel's role may do in its schema, and nothing more.

    Each relation by its name: ON ALL TABLES reads all of pg_class six times, of every hotel there is.
    """
    restricted = privileges.restricted_tables()
    grantee = quoting.identifier(role)

    def on(names: list[str]) -> str:
        return ", ".join(quoting.qualified_name(schema, name) for name in names)

    free = [table for table in relations.tables if table not in restricted]
    lines = [f"GRANT USAGE ON SCHEMA {quoting.identifier(schema)} TO {grantee};"]
    if free:
        lines.append(f"GRANT {privileges.READ_WRITE} ON {on(free)} TO {grantee};")
    if relations.sequences:
        lines.append(f"GRANT USAGE, SELECT ON {on(relations.sequences)} TO {grantee};")
    lines += [
        f"GRANT {restricted[table]} ON {on([table])} TO {grantee};"
        for table in relations.tables
        if table in restricted
    ]
    return "\n".join(lines) + "\n"


def drop_role_sql(*, role: str) -> str:
    """Ends a hotel's role, once its schema is gone: its rights went with the schema, and it owned nothing."""
    return f"DROP ROLE IF EXISTS {quoting.identifier(role)};\n"


def other_databases(cursor: CursorWrapper, role: str) -> list[str]:
    """The other databases of this server in which the role has rights: a copy of the hotel is there."""
    cursor.execute(
        "SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid "
        "JOIN pg_roles r ON r.oid = s.refobjid "
        "WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = %s AND d.datname <> current_database()",
        [role],
    )
    return sorted(row[0] for row in cursor.fetchall())


#: Which hotels' rights are not what `create_role_sql` and `grants_sql` make them: one pass over the catalog for
#: the fleet (a subquery a hotel would read pg_class once for each). %(tables)s and %(allowed)s are the restricted
#: tables and their privileges, comma-separated.
_DRIFTED = """
WITH restricted AS (
    SELECT * FROM unnest(%(tables)s::text[], %(allowed)s::text[]) AS r (relname, allowed)
), hotels AS MATERIALIZED (
    SELECT h.id, n.oid AS namespace, n.nspacl, r.oid AS role
    FROM public.tenants_hotel h
    JOIN pg_namespace n ON n.nspname = h.schema
    LEFT JOIN pg_roles r ON r.rolname = 'hotel_' || replace(h.id::text, '-', '')
    WHERE h.status IN ('active', 'suspended')
), tables AS MATERIALIZED (
    SELECT c.relnamespace AS namespace, bool_or(
        (SELECT string_agg(a.privilege_type, ',' ORDER BY a.privilege_type)
         FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner)
        IS DISTINCT FROM coalesce(restricted.allowed, 'DELETE,INSERT,SELECT,UPDATE')
        OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee NOT IN (c.relowner, hotels.role))
    ) AS drifted
    FROM pg_class c JOIN hotels ON hotels.namespace = c.relnamespace
    LEFT JOIN restricted ON restricted.relname = c.relname::text
    WHERE c.relkind IN ('r', 'p') GROUP BY 1
), members AS MATERIALIZED (
    SELECT roleid, member FROM pg_auth_members
)
SELECT h.id FROM hotels h
LEFT JOIN tables USING (namespace)
LEFT JOIN members lent ON lent.roleid = h.role AND lent.member = %(runtime)s::regrole
LEFT JOIN members grouped ON grouped.member = h.role AND grouped.roleid = %(group)s::regrole
WHERE h.role IS NULL OR lent.roleid IS NULL OR grouped.member IS NULL OR coalesce(tables.drifted, false)
   OR (SELECT array_agg(a.privilege_type) FROM aclexplode(h.nspacl) a WHERE a.grantee = h.role)
      IS DISTINCT FROM ARRAY['USAGE']
   OR EXISTS (SELECT FROM aclexplode(h.nspacl) a WHERE a.grantee NOT IN (h.role, %(owner)s::regrole))
"""


def find_privilege_drift(cursor: CursorWrapper, who: DatabaseLogins) -> list[Hotel]:
    """The hotels whose role, memberships or rights differ from what they should be."""
    tables = privileges.restricted_tables()
    cursor.execute(
        _DRIFTED,
        {
            "tables": list(tables),
            "allowed": [",".join(sorted(allowed.split(", "))) for allowed in tables.values()],
            "owner": quoting.identifier(who.owner),
            "runtime": quoting.identifier(who.runtime),
            "group": quoting.identifier(group_role()),
        },
    )
    ids = [row[0] for row in cursor.fetchall()]
    return list(Hotel.objects.filter(id__in=ids)) if ids else []


#: Everybody but the owner who has a right on the schema or on something in it.
_STRANGERS = """
SELECT DISTINCT coalesce(quote_ident(r.rolname), 'PUBLIC') FROM (
    SELECT n.nspowner AS owner, a.grantee FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = %(schema)s
    UNION ALL
    SELECT c.relowner, a.grantee FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.relnamespace = %(schema)s::regnamespace
) granted LEFT JOIN pg_roles r ON r.oid = granted.grantee WHERE granted.grantee <> granted.owner
"""


def repair_hotel_privileges(cursor: CursorWrapper, hotel: Hotel, who: DatabaseLogins) -> None:
    """Give a hotel's role exactly what it should have, and nobody else anything."""
    cursor.execute(create_role_sql(role=hotel.role, who=who))
    cursor.execute(_STRANGERS, {"schema": hotel.schema})
    if granted := ", ".join(row[0] for row in cursor.fetchall()):
        schema = quoting.identifier(hotel.schema)
        cursor.execute(
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {granted};\n"
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {granted};\n"
            f"REVOKE ALL ON SCHEMA {schema} FROM {granted}"
        )
    relations = relations_of(cursor, hotel.schema)
    cursor.execute(grants_sql(schema=hotel.schema, role=hotel.role, relations=relations))

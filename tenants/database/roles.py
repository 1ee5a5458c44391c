"""The PostgreSQL role of each hotel, with its privileges in the hotel's schema.

The roles protect against mistakes in our code: a statement that reaches the wrong schema fails with "permission
denied". The roles do not protect against SQL injection, because injected SQL could run RESET ROLE.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from tenants.database import catalog, privileges, quoting
from tenants.database.logins import MEMBERSHIP_OPTIONS_SINCE, DatabaseLogins
from tenants.models import Hotel


def group_role() -> str:
    """Return the name of the group role. All hotel roles are its members and inherit its privileges on `public`."""
    return f"{settings.DATABASE_ROLE_PREFIX}_hotels"


def create_role_sql(*, role: str, logins: DatabaseLogins) -> str:
    """Return the SQL statements that create a hotel's role and add it to the group role of all hotels.

    The statements also allow the runtime login to switch to the hotel's role with SET ROLE. The role cannot log in.
    """
    return (
        f"{create_role_if_missing_sql(role)}"
        f"GRANT {quoting.identifier(group_role())} TO {quoting.identifier(role)};\n"
        f"GRANT {quoting.identifier(role)} TO {quoting.identifier(logins.runtime)}{logins.membership_options};\n"
    )


def create_role_if_missing_sql(role: str) -> str:
    """Return a statement that creates a role unless it exists. PostgreSQL has no CREATE ROLE IF NOT EXISTS.

    The statement ignores the errors that PostgreSQL raises if the role exists, or if another transaction creates it.
    """
    return (
        f"DO $$BEGIN CREATE ROLE {quoting.identifier(role)} NOLOGIN;\n"
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END$$;\n"
    )


@dataclass(frozen=True, slots=True)
class SchemaRelations:
    """The names of the tables and sequences of a schema on which its role needs privileges.

    Sequences of identity columns are omitted, because inserting rows requires no privilege on these sequences.
    """

    tables: list[str]
    sequences: list[str]


def list_relations(cursor: CursorWrapper, schema: str) -> SchemaRelations:
    """Return the tables and sequences of the schema on which the hotel's role needs privileges."""
    cursor.execute(
        f"SELECT c.relname::text, c.relkind = 'S' FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation "  # noqa: S608
        "JOIN pg_class c ON c.oid = relation.objid WHERE c.relkind IN ('r', 'p') OR c.relkind = 'S' AND NOT EXISTS ("
        "SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i') "
        "ORDER BY 1",
        {"schema": quoting.identifier(schema)},
    )
    rows = cursor.fetchall()
    return SchemaRelations(
        tables=[name for name, is_sequence in rows if not is_sequence],
        sequences=[name for name, is_sequence in rows if is_sequence],
    )


def grants_sql(*, schema: str, role: str, relations: SchemaRelations) -> str:
    """Return the GRANT statements of a hotel's role. The statements name each table and sequence.

    ON ALL TABLES IN SCHEMA would be slower, because it reads the tables of all hotels.
    """
    restricted = privileges.restricted_grants()
    grantee = quoting.identifier(role)

    def qualified(names: list[str]) -> str:
        return ", ".join(quoting.qualified_name(schema, name) for name in names)

    unrestricted = [table for table in relations.tables if table not in restricted]
    lines = [f"GRANT USAGE ON SCHEMA {quoting.identifier(schema)} TO {grantee};"]
    if unrestricted:
        lines.append(f"GRANT {privileges.READ_WRITE} ON {qualified(unrestricted)} TO {grantee};")
    if relations.sequences:
        lines.append(f"GRANT USAGE, SELECT ON {qualified(relations.sequences)} TO {grantee};")
    lines += [
        f"GRANT {restricted[table]} ON {qualified([table])} TO {grantee};"
        for table in relations.tables
        if table in restricted
    ]
    return "\n".join(lines) + "\n"


def drop_role(cursor: CursorWrapper, *, role: str, logins: DatabaseLogins) -> None:
    """Drop a hotel's role, the objects that it owns in this database, and its privileges. Drop its schema first.

    Raises DatabaseError if objects of other owners depend on the role's objects.
    """
    name = quoting.identifier(role)
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid "
        "JOIN pg_database d ON d.datname = current_database() "
        "WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = %s AND s.dbid IN (0, d.oid))",
        [role],
    )
    if cursor.fetchone()[0]:
        # DROP OWNED requires the privileges of the role, which the creator of a role does not get automatically.
        inherit = " WITH INHERIT TRUE" if logins.server_version >= MEMBERSHIP_OPTIONS_SINCE else ""
        cursor.execute(f"GRANT {name} TO CURRENT_USER{inherit}; DROP OWNED BY {name}")
    cursor.execute(f"DROP ROLE IF EXISTS {name}")


def find_other_databases(cursor: CursorWrapper, role: str) -> list[str]:
    """Return the names of the other databases on this server in which the hotel's role has privileges.

    Such a database contains a copy of the hotel.
    """
    cursor.execute(
        "SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid "
        "JOIN pg_roles r ON r.oid = s.refobjid "
        "WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = %s AND d.datname <> current_database()",
        [role],
    )
    return sorted(row[0] for row in cursor.fetchall())


#: A query for the hotels whose privileges differ from the privileges that `create_role_sql` and `grants_sql` grant.
#: The query reads pg_class once for all hotels. A subquery per hotel would read pg_class once for each hotel.
#: The parameter %(tables)s lists the tables on which hotel roles have fewer privileges than on other tables.
#: The parameter %(allowed)s lists the privileges of hotel roles on each table of %(tables)s.
#: The parameter %(letters)s lists the same privileges as %(allowed)s, as letters of access control lists (ACLs).
#: The parameter %(columns)s lists the columns that hotel roles may update in each table of %(tables)s.
#: The ACLs of most hotels have exactly the text that provisioning creates, and comparing this text is fast.
#: If the text of an ACL differs from the text that provisioning creates, the query compares each privilege.
#: The query uses `IN` and `NOT IN`, which PostgreSQL evaluates with a hash table.
#: With a join instead of `IN`, PostgreSQL might compare each hotel with each role membership.
_PRIVILEGE_DRIFT = """
WITH restricted AS (
    SELECT * FROM unnest(%(tables)s::text[], %(allowed)s::text[], %(letters)s::text[], %(columns)s::text[])
        AS r (relname, allowed, letters, columns)
), owner AS (
    SELECT trim('{}' FROM acldefault('r', %(owner)s::regrole)::text) AS privileges
), hotels AS MATERIALIZED (
    SELECT h.id, n.oid AS namespace, n.nspacl, r.oid AS role, r.rolname
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
    CROSS JOIN owner
    WHERE c.relkind IN ('r', 'p') AND c.relacl::text IS DISTINCT FROM '{' || owner.privileges || ',' || hotels.rolname
        || '=' || coalesce(restricted.letters, 'arwd') || '/' || %(owner_name)s || '}'
    GROUP BY 1
), columns AS MATERIALIZED (
    SELECT c.relnamespace AS namespace
    FROM pg_class c JOIN hotels ON hotels.namespace = c.relnamespace
    JOIN restricted ON restricted.relname = c.relname::text AND restricted.columns > ''
    WHERE (SELECT string_agg(attname, ',' ORDER BY attname)
           FROM pg_attribute, aclexplode(attacl) a WHERE attrelid = c.oid AND a.privilege_type = 'UPDATE')
          IS DISTINCT FROM restricted.columns
)
SELECT h.id FROM hotels h
WHERE h.role IS NULL
   OR h.role NOT IN (SELECT roleid FROM pg_auth_members WHERE member = %(runtime)s::regrole)
   OR h.role NOT IN (SELECT member FROM pg_auth_members WHERE roleid = %(group)s::regrole)
   OR h.namespace IN (SELECT namespace FROM tables WHERE drifted)
   OR h.namespace IN (SELECT namespace FROM columns)
   OR (SELECT array_agg(a.privilege_type) FROM aclexplode(h.nspacl) a WHERE a.grantee = h.role)
      IS DISTINCT FROM ARRAY['USAGE']
   OR EXISTS (SELECT FROM aclexplode(h.nspacl) a WHERE a.grantee NOT IN (h.role, %(owner)s::regrole))
"""


def find_privilege_drift(cursor: CursorWrapper, logins: DatabaseLogins) -> list[Hotel]:
    """Return the hotels whose role, memberships or privileges differ from what provisioning creates."""
    restricted = privileges.restricted_tables()
    columns = privileges.updatable_columns()
    cursor.execute(
        _PRIVILEGE_DRIFT,
        {
            "tables": list(restricted),
            "allowed": [",".join(sorted(allowed.split(", "))) for allowed in restricted.values()],
            "letters": [privileges.acl_letters(allowed) for allowed in restricted.values()],
            "columns": [",".join(columns.get(table, ())) for table in restricted],
            "owner": quoting.identifier(logins.owner),
            "owner_name": logins.owner,
            "runtime": quoting.identifier(logins.runtime),
            "group": quoting.identifier(group_role()),
        },
    )
    ids = [row[0] for row in cursor.fetchall()]
    return list(Hotel.objects.filter(id__in=ids)) if ids else []


#: A query for the roles, except the owner, that have privileges on a schema or on its tables and sequences.
_GRANTEES = f"""
SELECT DISTINCT coalesce(quote_ident(r.rolname), 'PUBLIC') FROM (
    SELECT n.nspowner AS owner, a.grantee FROM pg_namespace n, aclexplode(n.nspacl) a
    WHERE n.oid = to_regnamespace(%(schema)s)
    UNION ALL
    SELECT c.relowner, a.grantee FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation
    JOIN pg_class c ON c.oid = relation.objid, aclexplode(c.relacl) a
) granted LEFT JOIN pg_roles r ON r.oid = granted.grantee WHERE granted.grantee <> granted.owner
"""  # noqa: S608 - RELATIONS_OF_SCHEMA is a constant


def repair_hotel_privileges(cursor: CursorWrapper, hotel: Hotel, logins: DatabaseLogins) -> None:
    """Create the hotel's role if it is missing, and replace all privileges in the hotel's schema.

    The hotel then has the same privileges as a newly provisioned hotel.
    """
    cursor.execute(create_role_sql(role=hotel.role, logins=logins))
    cursor.execute(_GRANTEES, {"schema": quoting.identifier(hotel.schema)})
    if grantees := ", ".join(row[0] for row in cursor.fetchall()):
        schema = quoting.identifier(hotel.schema)
        cursor.execute(
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {grantees};\n"
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {grantees};\n"
            f"REVOKE ALL ON SCHEMA {schema} FROM {grantees}"
        )
    relations = list_relations(cursor, hotel.schema)
    cursor.execute(grants_sql(schema=hotel.schema, role=hotel.role, relations=relations))

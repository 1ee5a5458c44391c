"""The template schema, and the script that creates a new hotel's schema from it.

`migrate` keeps the schema `hotel_template` up to date and stores its pg_dump as a script. Provisioning runs this script
instead of all migrations.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.functions import Now

from tenants import personal_data
from tenants.context import Tenant, hotel_context, platform_context
from tenants.database import quoting, roles
from tenants.lifecycle import pgtools
from tenants.lifecycle.schema_description import compute_fingerprint
from tenants.models import SchemaTemplate
from tenants.unaudited import unaudited

SCHEMA = "hotel_template"
#: The tenant object for the template schema. The template schema belongs to no hotel and has no role.
TEMPLATE_TENANT = Tenant(
    id=None, slug="", schema=SCHEMA, role=None, name="", time_zone="UTC", language="en", status="template"
)

#: The table `django_migrations` of hotels, which needs fewer relations than Django's own table with this name.
#: The column `app` is shorter than in Django's table, so the table needs no TOAST table.
#: The id of a migration is computed from its app and its name, so the table needs no sequence.
MIGRATIONS_TABLE = """
CREATE TABLE django_migrations (
    id bigint NOT NULL GENERATED ALWAYS AS (hashtextextended(app || '.' || name, 0)) STORED,
    app varchar(100),
    name varchar(255),
    applied timestamptz NOT NULL,
    PRIMARY KEY (app, name)
)
"""

#: The parts of pg_dump's output that are removed: psql commands, comments and settings of the session.
#: The pattern lists the settings by name, because a function body may also contain lines that start with SET.
_SESSION_STATEMENTS = re.compile(
    r"^(?:SET (?:statement_timeout|lock_timeout|idle_in_transaction_session_timeout|transaction_timeout"
    r"|client_encoding|standard_conforming_strings|check_function_bodies|xmloption|client_min_messages"
    r"|row_security|default_tablespace|default_table_access_method) = [^;\n]*;"
    r"|SELECT pg_catalog\.set_config\('search_path', '', false\);"
    r"|\\(?:un)?restrict \S+"
    r"|CREATE SCHEMA \w+;"
    r"|--\n-- (?:Name|Data for Name): .*\n--\n)\n*",
    re.MULTILINE,
)
#: The statements with which pg_dump makes a column an identity column.
_ADD_IDENTITY = re.compile(
    r"^ALTER TABLE (?P<table>\S+) ALTER COLUMN (?P<column>\S+) ADD "
    r"(?P<identity>GENERATED (?:ALWAYS|BY DEFAULT) AS IDENTITY \(\n(?:    .*\n)+\));\n+",
    re.MULTILINE,
)
#: Matches the statements with which pg_dump sets the storage of a column (see `tenants.database.storage`).
_SET_STORAGE = re.compile(
    r"^ALTER TABLE ONLY (?P<table>\S+) ALTER COLUMN (?P<column>\S+) SET STORAGE (?P<storage>PLAIN|EXTERNAL);\n+",
    re.MULTILINE,
)
#: Matches a type as pg_dump writes it. The names of some types have several words or numbers in parentheses.
_TYPE = (
    r"(?:character varying\(\d+\)|numeric\(\d+,\d+\)|timestamp with(?:out)? time zone|double precision|\w+)"
    r"(?:\[\])?"
)
#: The first version of PostgreSQL that accepts STORAGE in CREATE TABLE.
_STORAGE_IN_CREATE_TABLE_SINCE = 160000
#: Pattern for the schema name at the start of pg_dump's INSERT and setval statements.
#: The pattern does not match a schema name inside the values of a statement, because a value may be any text.
_SCHEMA_IN_DATA = re.compile(rf"^(INSERT INTO |SELECT pg_catalog\.setval\('){SCHEMA}\.", re.MULTILINE)
#: The first statement of a script that creates a hotel's schema.
#: The setting check_function_bodies is off, because the script creates functions before the tables that they use.
PREAMBLE = "SET LOCAL check_function_bodies = false;\n"
#: The placeholder for the schema name in a stored script.
#: The placeholder contains private-use Unicode characters, which neither SQL statements nor values contain.
PLACEHOLDER = "\ue000hotel\ue000"


def compute_schema_version(applied: Iterable[tuple[str, str]]) -> str:
    """Return the schema version of a set of applied migrations, which is a digest of their names."""
    listed = "\n".join(sorted(f"{app}.{name}" for app, name in applied))
    return hashlib.sha256(listed.encode()).hexdigest()[:32]


def ensure_schema() -> None:
    """Create the template schema with an empty table `django_migrations`, unless the schema and the table exist.

    Call this function on the direct connection, which bypasses the connection pooler.
    """
    with hotel_context(TEMPLATE_TENANT), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quoting.identifier(SCHEMA)}")
        cursor.execute("SELECT to_regclass(%s)", [f"{SCHEMA}.django_migrations"])
        if cursor.fetchone()[0] is None:
            cursor.execute(MIGRATIONS_TABLE)


@unaudited("The migration of each hotel is recorded.")
def store_script() -> str:
    """Dump the template schema and store the dump as the script for new hotels. Return its schema version.

    Needs the direct connection. The update of the stored script waits for transactions that provision a hotel with the
    old script, so that a later query for outdated hotels finds these hotels. Raises pgtools.ProgramFailed.
    """
    with platform_context(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        cursor.execute(f"SELECT app, name FROM {quoting.qualified_name(SCHEMA, 'django_migrations')}")  # noqa: S608
        applied = cursor.fetchall()
        before, after, rows = dump_template(f"--snapshot={snapshot}")
        if missing := [f"{app}.{name}" for app, name in applied if f"'{app}', '{name}'" not in rows]:
            raise pgtools.ProgramFailed(
                f"pg_dump returned a template schema without the migrations {', '.join(missing)}. "
                "DATABASE_DIRECT_URL must lead to one server, and not to a standby."
            )
        version = compute_schema_version(applied)
        SchemaTemplate.objects.update_or_create(
            id=1,
            defaults={
                "before": before,
                "after": after,
                "rows": rows,
                "schema_version": version,
                "fingerprint": compute_fingerprint(cursor, SCHEMA) or "",
                "updated_at": Now(),
            },
        )
        return version


def is_script_current(version: str) -> bool:
    """Return whether the stored SQL script, which creates the schema of a new hotel, is up to date.

    The script must have the schema version `version` and the fingerprint of the template schema. The fingerprint also
    changes if a new version of PostgreSQL prints definitions differently.
    """
    with platform_context(), connection.cursor() as cursor:
        stored = SchemaTemplate.objects.values_list("schema_version", "fingerprint").first()
        return stored == (version, compute_fingerprint(cursor, SCHEMA) or "")


def stored_version() -> str | None:
    """Return the schema version of new hotels, or None before the first `migrate`."""
    with platform_context():
        return SchemaTemplate.objects.values_list("schema_version", flat=True).first()


def dump_template(*options: str) -> tuple[str, str, str]:
    """Return the three parts of the SQL script that creates a copy of the template schema with another name.

    The parts are the fields `before`, `after` and `rows` of the model SchemaTemplate. Rows that a masked backup omits,
    such as audit events, are omitted here too: the events of the template schema are not events of a new hotel.
    """
    omitted = [f"--exclude-table-data={SCHEMA}.{table}" for table in personal_data.omitted_tables()]
    before, after, rows = _dump_sections(
        SCHEMA, "pre-data", "post-data", "data", options=["--rows-per-insert=1000", *omitted, *options]
    )
    return *_replace_schema_name(SCHEMA, before, after), _SCHEMA_IN_DATA.sub(rf"\g<1>{PLACEHOLDER}.", rows)


def full_script(template: SchemaTemplate) -> str:
    """Return the script that creates the tables and rows of a new hotel. `render_script` inserts the schema's name."""
    # Insert the rows last, because creating indexes on empty tables is faster.
    return "".join([PREAMBLE, template.before, template.after, template.rows])


def read_definitions(cursor: CursorWrapper, schema: str) -> tuple[str, str]:
    """Return two scripts that copy the structure of a hotel's schema to a schema with another name.

    The first script creates the tables. The second script creates keys, constraints, indexes and triggers, and must be
    run after the rows are inserted. PREAMBLE must be run once before the first script. Needs the direct connection in a
    REPEATABLE READ transaction. Raises pgtools.ProgramFailed.
    """
    template = SchemaTemplate.objects.first()
    if template and template.fingerprint and template.fingerprint == compute_fingerprint(cursor, schema):
        return template.before, template.after
    cursor.execute("SELECT pg_export_snapshot()")
    (snapshot,) = cursor.fetchone()
    before, after = _dump_sections(schema, "pre-data", "post-data", options=[f"--snapshot={snapshot}"])
    return _replace_schema_name(schema, before, after)


def _replace_schema_name(schema: str, before: str, after: str) -> tuple[str, str]:
    # Replace the schema's name only if a dot follows it, as in the `schema.table` that pg_dump writes.
    # If no dot follows the schema's name, the text is the name of a column or a value, and must not be replaced.
    name = re.compile(rf"(?<![\w.]){schema}(?=\.)")
    before = _declare_storage_in_tables(_declare_identity_in_tables(before))
    return name.sub(PLACEHOLDER, before), name.sub(PLACEHOLDER, after)


def _declare_identity_in_tables(before: str) -> str:
    """Move the declarations of identity columns from ALTER TABLE, which pg_dump writes, into CREATE TABLE.

    Each ALTER TABLE would take time in each new hotel.
    """
    for alter in list(_ADD_IDENTITY.finditer(before)):
        table, column = re.escape(alter["table"]), re.escape(alter["column"])
        declaration = re.compile(
            rf"^CREATE TABLE {table} \((?:\n    .*)*?\n    {column} \w+(?= NOT NULL)", re.MULTILINE
        )
        if match := declaration.search(before):
            before = before.replace(alter[0], "").replace(match[0], f"{match[0]} {alter['identity']}")
    return before


def _declare_storage_in_tables(before: str) -> str:
    """Move the option STORAGE from the ALTER TABLE statements of pg_dump to the CREATE TABLE statements.

    CREATE TABLE then creates no TOAST table if no column needs one.
    """
    if connection.pg_version < _STORAGE_IN_CREATE_TABLE_SINCE:  # type: ignore[attr-defined]
        return before
    for alter in list(_SET_STORAGE.finditer(before)):
        table, column = re.escape(alter["table"]), re.escape(alter["column"])
        declaration = re.compile(
            rf"^CREATE TABLE {table} \((?:\n    .*)*?\n    {column} {_TYPE}",
            re.MULTILINE,
        )
        if match := declaration.search(before):
            before = before.replace(alter[0], "").replace(match[0], f"{match[0]} STORAGE {alter['storage']}")
    return before


def _dump_sections(schema: str, *sections: str, options: Sequence[str]) -> list[str]:
    """Dump a schema with pg_dump. Return a list that contains the SQL text of each requested section.

    pg_dump runs only once, and pg_restore then splits the dump into sections.
    """
    flags = [f"--section={section}" for section in sections]
    dump = pgtools.run_binary("pg_dump", f"--schema={schema}", "--format=custom", *flags, *options)
    plain = ("--no-owner", "--no-privileges", "--no-comments", "--file=-")
    texts = (pgtools.run_binary("pg_restore", *plain, flag, stdin=dump) for flag in flags)
    return [_SESSION_STATEMENTS.sub("", text.decode()) for text in texts]


def list_script_relations(script: str) -> roles.SchemaRelations:
    """Return the tables and sequences that the SQL script of the template schema creates."""
    return roles.SchemaRelations(
        tables=re.findall(rf'^CREATE TABLE {PLACEHOLDER}\."?(\w+)"? ', script, re.MULTILINE),
        sequences=re.findall(rf'^CREATE SEQUENCE {PLACEHOLDER}\."?(\w+)"?$', script, re.MULTILINE),
    )


def render_script(script: str, *, schema: str) -> str:
    """Return the SQL script with its placeholder replaced by the name of the hotel's schema.

    Raises ValueError if the name needs quoting.
    """
    if not re.fullmatch(r"hotel_[a-z0-9_]{1,57}", schema):
        raise ValueError(f"{schema!r} is not a schema name that provisioning creates.")
    return script.replace(PLACEHOLDER, schema)

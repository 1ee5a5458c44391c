"""A description of the definitions in a schema. Two schemas with equal descriptions have the same definitions.

To compute a description, PostgreSQL reads the catalog rows of one schema only, so the duration does not depend on the
number of hotels.
"""

import hashlib
import re

from django.db.backends.utils import CursorWrapper

from tenants.database import catalog, quoting

#: A query for the ids and names of the schema's tables.
#: `_DEFINITIONS` finds rows of the system catalogs by the ids of tables, so PostgreSQL can use the catalogs' indexes.
_TABLES = f"""
SELECT c.oid, c.relname FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation
JOIN pg_class c ON c.oid = relation.objid AND c.relkind = 'r'
"""  # noqa: S608 - RELATIONS_OF_SCHEMA is a constant

#: A query for the definitions that pg_dump writes for a schema.
#: The query returns the definitions of tables, columns, constraints, indexes, sequences and triggers.
#: Columns are numbered again without gaps, because PostgreSQL does not reuse the numbers of dropped columns.
#: Internal triggers are omitted, because they belong to foreign keys and their names contain object ids.
_DEFINITIONS = f"""
WITH tables AS MATERIALIZED ({_TABLES})
SELECT 'table', t.relname::text, '', ROW(c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
    c.relispartition, c.reloftype, c.reltablespace, c.reloptions,
    (SELECT amname FROM pg_am WHERE pg_am.oid = c.relam),
    (SELECT toast.reloptions FROM pg_class toast WHERE toast.oid = c.reltoastrelid))::text
FROM tables t JOIN pg_class c ON c.oid = t.oid
UNION ALL
SELECT 'column', t.relname, attname, ROW(row_number() OVER (PARTITION BY t.oid ORDER BY attnum),
    format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attstorage, attcompression,
    nullif(attstattarget, -1), attcollation, attoptions,
    (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum))::text
FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint', t.relname, conname, pg_get_constraintdef(con.oid)
FROM tables t JOIN pg_constraint con ON con.conrelid = t.oid
UNION ALL
SELECT 'index', t.relname, '', ROW(pg_get_indexdef(i.indexrelid), indisvalid, indisclustered, indisreplident,
    (SELECT reltablespace FROM pg_class c WHERE c.oid = i.indexrelid))::text
FROM tables t JOIN pg_index i ON i.indrelid = t.oid
UNION ALL
SELECT 'trigger', t.relname, tgname, ROW(pg_get_triggerdef(g.oid), tgenabled)::text
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT tgisinternal
UNION ALL
SELECT 'sequence', c.relname, '', ROW(c.relpersistence, s.*,
    ARRAY(SELECT ROW(d.deptype, d.refobjid::regclass, d.refobjsubid)::text FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass))::text
FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation
JOIN pg_class c ON c.oid = relation.objid
CROSS JOIN LATERAL (SELECT seqtypid, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle
    FROM pg_sequence WHERE seqrelid = c.oid) s
"""  # noqa: S608 - constants

#: The query for everything in the schema that `_DEFINITIONS` does not describe, such as views, functions and policies.
_OTHER_OBJECTS = f"""
WITH tables AS MATERIALIZED ({_TABLES})
SELECT FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace(%(schema)s)
    AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
        SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind IN ('r', 'S')))
UNION ALL SELECT FROM tables JOIN pg_inherits i ON i.inhrelid = tables.oid
UNION ALL SELECT FROM tables JOIN pg_policy p ON p.polrelid = tables.oid
UNION ALL SELECT FROM tables JOIN pg_rewrite w ON w.ev_class = tables.oid
UNION ALL SELECT FROM tables JOIN pg_statistic_ext e ON e.stxrelid = tables.oid
LIMIT 1
"""  # noqa: S608 - constants

#: Pattern for the array in a CHECK constraint `column IN ('a', 'b')` of a varchar column, as PostgreSQL displays it.
#: If CREATE TABLE created the constraint, PostgreSQL displays a cast of the whole array to text[].
#: If pg_restore created the constraint, PostgreSQL displays a cast of each element of the array.
#: The function `_cast_elements` converts the constraint to the text that PostgreSQL displays after pg_restore.
_ARRAY_OF_TEXTS = re.compile(r"\(\(?ARRAY\[([^\[\]()]*)\]\)::text\[\]\)?")


def compute_fingerprint(cursor: CursorWrapper, schema: str) -> str | None:
    """Return a digest of the definitions in the schema, or None if the schema has objects that cannot be described.

    The name, rows, owner and privileges of the schema do not affect the digest. Compare only digests from the same
    server.
    """
    parameters = {"schema": quoting.identifier(schema)}
    cursor.execute(_OTHER_OBJECTS, parameters)
    if cursor.fetchone() is not None:
        return None
    cursor.execute(_DEFINITIONS, parameters)
    name = re.compile(rf"(?<![\w.]){re.escape(schema)}(?=\.)")
    lines = sorted("\t".join(row) for row in cursor.fetchall())
    text = _ARRAY_OF_TEXTS.sub(_cast_elements, name.sub("", "\n".join(lines)))
    return hashlib.sha256(text.encode()).hexdigest()


def _cast_elements(match: re.Match[str]) -> str:
    return "(ARRAY[" + ", ".join(f"({value})::text" for value in match[1].split(", ")) + "])"

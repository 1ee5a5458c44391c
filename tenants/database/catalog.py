"""Queries of PostgreSQL's catalog whose duration does not depend on the number of hotels.

`pg_class` has no index that starts with the schema. The queries therefore use `pg_depend`, which has such an index and
contains a row for each relation in a schema.
"""

#: An SQL query for the ids of the tables, views and sequences of a schema.
#: The parameter %(schema)s is the schema's quoted name. If there is no such schema, the query returns no rows.
RELATIONS_OF_SCHEMA = (
    "SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass "
    "AND d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = to_regnamespace(%(schema)s)"
)

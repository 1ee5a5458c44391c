"""Quoting of SQL identifiers and literals for SQL that cannot take parameters.

Examples are CREATE ROLE, GRANT, and scripts of several statements.
"""


def identifier(name: str) -> str:
    """Return the name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def identifiers(*names: str) -> str:
    """Return the names as a comma-separated list of quoted identifiers."""
    return ", ".join(identifier(name) for name in names)


def qualified_name(schema: str, relation: str) -> str:
    """Return the quoted name of a relation with its schema."""
    return f"{identifier(schema)}.{identifier(relation)}"


def literal(value: str) -> str:
    """Return the value as a string literal that does not depend on `standard_conforming_strings`.

    A value with backslashes becomes an escape string, `E'...'`.
    """
    escaped = value.replace("'", "''")
    if "\\" in escaped:
        return " E'" + escaped.replace("\\", "\\\\") + "'"
    return f"'{escaped}'"

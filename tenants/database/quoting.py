"""Names and texts inside SQL that can't take parameters (CREATE ROLE, GRANT, a message of several statements)."""


def name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def names(*identifiers: str) -> str:
    return ", ".join(name(identifier) for identifier in identifiers)


def qualified(schema: str, relation: str) -> str:
    return f"{name(schema)}.{name(relation)}"


def text(value: str) -> str:
    """A string literal, whatever `standard_conforming_strings` says. https://www.postgresql.org/docs/current/sql-syntax-lexical.html"""
    escaped = value.replace("'", "''")
    if "\\" in escaped:
        return " E'" + escaped.replace("\\", "\\\\") + "'"
    return f"'{escaped}'"

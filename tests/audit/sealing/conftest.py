"""Fixtures for the tests of sealing: a signing key, and trails without events."""

from typing import Any

import pytest

from audit.transparency.notes import PrivateKey
from tests.tenants import sql

KEY = PrivateKey("localhost", bytes(range(32)))


@pytest.fixture(autouse=True)
def signing_key(settings: Any) -> PrivateKey:
    """Configure a private key that signs the trails, and return the key."""
    settings.AUDIT_SIGNING_KEY = KEY.text
    return KEY


@pytest.fixture(autouse=True)
def _empty_trails(request: pytest.FixtureRequest) -> None:
    """Delete all events, because events that are recorded on a separate connection are not rolled back.

    The rules and templates of new hotels are also deleted, because they would no longer have events.
    """
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("transactional_db")
        for schema in ("public", *sorted(sql.list_schemas())):
            _delete_rows(schema, "audit_event", "audit_search_term")
        for schema in sorted(sql.list_schemas()):
            _delete_rows(schema, "reminders_template", "reminders_rule")


def _delete_rows(schema: str, *tables: str) -> None:
    """Delete all rows of the tables while their triggers are disabled."""
    names = [f'"{schema}".{table}' for table in tables]
    sql.execute(
        "; ".join(
            [
                *(f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in names),
                *(f"DELETE FROM {name}" for name in names),
                "SET CONSTRAINTS ALL IMMEDIATE",
                *(f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in names),
            ]
        )
    )

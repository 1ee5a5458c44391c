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
    """Delete the events of earlier tests. Events that are recorded on a separate connection are not rolled back."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("transactional_db")
        for schema in ("public", *sorted(sql.list_schemas())):
            sql.execute(
                f'ALTER TABLE "{schema}".audit_event DISABLE TRIGGER USER; TRUNCATE "{schema}".audit_event; '
                f'TRUNCATE "{schema}".audit_search_term; '
                f'ALTER TABLE "{schema}".audit_event ENABLE TRIGGER USER'
            )

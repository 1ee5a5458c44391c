"""Fixtures for the tests of row changes: the key that signs the trails."""

from tests.audit.sealing.conftest import signing_key  # noqa: F401 - a fixture

"""Fixtures for the tests of verification, imported from the tests of sealing."""

from tests.audit.sealing.conftest import _empty_trails, signing_key  # noqa: F401 - fixtures

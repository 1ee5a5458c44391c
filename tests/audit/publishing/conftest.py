"""Fixtures for the tests of publication, imported from the tests of sealing."""

from tests.audit.sealing.conftest import _empty_trails, signing_key  # noqa: F401 - fixtures

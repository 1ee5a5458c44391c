"""Fixtures for the tests of retention: they are the fixtures of the tests of sealing."""

from tests.audit.sealing.conftest import _empty_trails, signing_key  # noqa: F401 - fixtures

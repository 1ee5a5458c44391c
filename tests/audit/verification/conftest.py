"""The fixtures of the tests of sealing are also used here."""

from tests.audit.sealing.conftest import _empty_trails, signing_key  # noqa: F401 - fixtures

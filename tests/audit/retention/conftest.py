"""The fixtures of the tests of sealing, which the tests of retention also use."""

from tests.audit.sealing.conftest import _empty_trails, signing_key  # noqa: F401 - fixtures

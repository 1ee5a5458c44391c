"""The fixture for the tests of row changes: a key that signs the audit trails."""

from tests.audit.sealing.conftest import signing_key  # noqa: F401 - a fixture

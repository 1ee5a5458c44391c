"""The errors of the embedded servers. Each message is one line that says what to do."""


class EmbeddedError(Exception):
    """An embedded server could not be started or stopped."""

    exit_code = 1


class InUseError(EmbeddedError):
    """Another process uses the port, or already runs `manage.py serve` in this checkout."""

    exit_code = 2

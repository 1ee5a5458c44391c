"""The errors of the embedded servers. Each message is a single line that explains what to do."""


class EmbeddedError(Exception):
    """An embedded server could not be started or stopped."""

    exit_code = 1


class InUseError(EmbeddedError):
    """Another process is using the port, or is already running `manage.py serve` in this checkout."""

    exit_code = 2

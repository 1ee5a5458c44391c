"""The errors of the embedded servers. Each message is one line that says what to do."""


class EmbeddedError(Exception):
    """An embedded server could not be started or stopped."""

    exit_code = 1


class InUseError(EmbeddedError):
    """A port or the whole checkout is used by another process."""

    exit_code = 2

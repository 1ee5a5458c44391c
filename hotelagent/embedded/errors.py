class EmbeddedError(Exception):
    """What stopped the servers of this machine, in one line that says what to do about it."""

    exit_code = 1


class InUseError(EmbeddedError):
    """Something else has what is asked for: a port, or the whole checkout."""

    exit_code = 2

#!/usr/bin/env python3
"""Every command of hotelagent: `manage.py help`.

In development it starts the embedded servers that a command needs, unless they run or others are given.
"""

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent / ".hotelagent"
DEVELOPMENT = "hotelagent.settings.development"


def has_own_servers() -> bool:
    return bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


def keep_compiled_modules() -> None:
    """In .hotelagent, for this process and those it starts: compiling all of them takes seconds each time.

    PYTHONDONTWRITEBYTECODE is for folders of sources, and nothing is written there.
    """
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(HOME / "pycache"))
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts this with an older one is to read why
        sys.exit("hotelagent needs Python 3.11 or later, and this is " + sys.version.split()[0] + ".")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", DEVELOPMENT)
    if os.environ["DJANGO_SETTINGS_MODULE"] == DEVELOPMENT:
        keep_compiled_modules()
    try:
        from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - may not be installed
        from django.core.management import execute_from_command_line  # noqa: PLC0415 - as above
    except ImportError:
        python = HOME / "venv" / "bin" / "python"
        if not python.exists() or Path(sys.prefix) == HOME / "venv":
            sys.exit("Django is not installed for this Python. `make run` installs everything; try it first.")
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - the same command, by the Python that has Django
    try:
        if os.environ["DJANGO_SETTINGS_MODULE"] == DEVELOPMENT and not has_own_servers():
            from hotelagent.embedded.command import run  # noqa: PLC0415 - production has no embedded servers

            run(sys.argv, execute_from_command_line)
        else:
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # It says which variable is wrong and how to mend it; where in our code that was found helps nobody.
        sys.exit(str(error))


if __name__ == "__main__":
    main()

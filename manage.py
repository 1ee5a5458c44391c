#!/usr/bin/env python3
"""The command line of hotelagent. `manage.py help` lists the commands.

In development, `manage.py` starts the embedded servers if a command needs a database. If DATABASE_URL and REDIS_URL
are set, no embedded server is started.
"""

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent / ".hotelagent"
DEVELOPMENT = "hotelagent.settings.development"


def uses_other_servers() -> bool:
    return bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


def store_compiled_modules() -> None:
    """Make this process and its children store compiled Python modules in the folder .hotelagent.

    Without compiled modules, each process takes a few seconds longer to start. The function removes the variable
    PYTHONDONTWRITEBYTECODE from the environment.
    """
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(HOME / "pycache"))
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def not_installed(package: str) -> str:
    return (
        f"{package} is not installed for this Python. In development, run `make run`, which installs all packages. "
        "In production, run `pip install --require-hashes -r requirements/production.txt`."
    )


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - the message is for users of an older Python
        sys.exit("hotelagent needs Python 3.11 or later, but this is Python " + sys.version.split()[0] + ".")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", DEVELOPMENT)
    if os.environ["DJANGO_SETTINGS_MODULE"] == DEVELOPMENT:
        store_compiled_modules()
    try:
        from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - Django may not be installed
        from django.core.management import execute_from_command_line  # noqa: PLC0415 - as above
    except ImportError:
        python = HOME / "venv" / "bin" / "python"
        if not python.exists() or Path(sys.prefix) == HOME / "venv":
            sys.exit(not_installed("Django"))
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - runs the same command with the Python that has Django
    try:
        if os.environ["DJANGO_SETTINGS_MODULE"] == DEVELOPMENT and not uses_other_servers():
            from hotelagent.embedded.scripts.manage import run  # noqa: PLC0415 - not installed in production

            run(sys.argv, execute_from_command_line)
        else:
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # Show no traceback: the error message names the invalid variable and explains how to correct it.
        sys.exit(str(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        # If the missing module belongs to this project, the installation of packages would not help.
        if (Path(__file__).parent / package).is_dir():
            raise
        sys.exit(not_installed(package))


if __name__ == "__main__":
    main()

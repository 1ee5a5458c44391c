"""A program that starts Python programs in processes that have already imported the installed packages.

Such a process loads Django in less than half of the time that a new Python process needs. `tests.programs` writes one
request per line as JSON. For each request, this program forks a process, and writes the exit status of the process. The
file imports no module of this project, because a request can be for another copy of the project.
"""

import importlib
import json
import os
import runpy
import sys
from typing import Any

#: The packages that take the longest time to import. None of them needs the Django settings.
PACKAGES = (
    "celery.app.amqp", "celery.app.base", "celery.bin.celery", "cryptography.fernet", "django.contrib.postgres.fields",
    "django.core.cache.backends.redis", "django.core.management.commands.check",
    "django.core.management.commands.migrate", "django.db.backends.postgresql.base", "django.forms",
    "django.template.defaulttags", "django.template.loader_tags", "django.views.generic", "django_filters",
    "django_structlog.celery.steps", "environ", "jsonschema", "kombu.transport.redis", "opentelemetry.sdk.metrics",
    "opentelemetry.sdk.trace", "phonenumbers", "psycopg", "redis.asyncio", "requests", "rich.progress", "structlog",
    "whitenoise.storage", "yaml",
)  # fmt: skip


def main() -> None:
    for package in PACKAGES:
        importlib.import_module(package)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            run_program(**request)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run_program(
    arguments: list[str], folder: str, environment: dict[str, str], output: str, errors: str
) -> None:
    """Run the program as `python <arguments>` does, with the standard output and errors in two files.

    An exception of the program ends the process as in any other Python process.
    """
    for number, path in enumerate((os.devnull, output, errors)):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = folder
    option, *rest = arguments
    if option == "-c":
        sys.argv = [option, *rest[1:]]
        program: dict[str, Any] = {"__name__": "__main__"}
        exec(rest[0], program)  # noqa: S102 - the program of a test
    elif option == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(option, run_name="__main__")


if __name__ == "__main__":
    main()

"""A program that starts Python programs in processes that have already imported the installed packages.

Such a process loads Django in less than half of the time that a new Python process needs. With the argument `loaded`,
the processes have loaded this project too. `tests.programs` starts this program, and writes one request per line as
JSON. Each request has one line as its response. The requests are:

    ["start", program]          start a program in a forked process, respond with the process id
    ["wait", process id]        wait until the process ends, respond with its exit status
    ["ended", process id]       respond with whether the process has ended

The program server kills the processes that are still running when its input ends. Without the argument `loaded`, the
program server imports no module of this project, because a request can be for a copy of the project in another folder.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

#: The packages that take the longest time to import. None of them needs the Django settings.
PACKAGES = (
    "celery.app.amqp", "celery.app.base", "celery.bin.celery", "cron_descriptor", "cryptography.fernet",
    "dateutil.parser", "django.contrib.admin.utils", "django.contrib.messages.storage.fallback",
    "django.contrib.postgres.fields", "django.contrib.postgres.indexes", "django.contrib.postgres.search",
    "django.core.cache.backends.redis", "django.core.mail.backends.smtp", "django.core.management.commands.check",
    "django.core.management.commands.migrate", "django.db.backends.postgresql.base", "django.forms",
    "django.template.defaulttags", "django.template.loader_tags", "django.test.client", "django.views.generic",
    "django_filters", "django_structlog.celery.steps", "environ", "inflection", "jsonpatch", "jsonschema",
    "kombu.transport.redis", "opentelemetry.sdk.metrics", "opentelemetry.sdk.trace", "packaging.requirements",
    "phonenumbers", "prometheus_client", "psycopg", "redis.asyncio", "requests", "rich.progress", "structlog",
    "uritemplate", "whitenoise.storage", "yaml",
)  # fmt: skip


def main() -> None:
    gc.disable()  # imports create hardly any garbage, so garbage collections would only take time
    for package in PACKAGES:
        importlib.import_module(package)
    if sys.argv[1:] == ["loaded"]:
        load_project()
    gc.freeze()
    gc.enable()
    # The garbage collector would take a tenth of the time that a program needs to load Django.
    gc.set_threshold(50_000)
    running: set[int] = set()
    for line in sys.stdin:
        request, argument = json.loads(line)
        if request == "start":
            child = os.fork()
            if not child:
                run_program(**argument)
                return
            running.add(child)
            response: int = child
        elif request == "ended":
            # The process is not reaped, so that no other process gets its process id.
            response = os.waitid(os.P_PID, argument, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        else:
            response = os.waitstatus_to_exitcode(os.waitpid(argument, 0)[1])
            running.discard(argument)
        print(json.dumps(response), flush=True)
    for child in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


def load_project() -> None:
    """Load Django with the settings of the environment, and import the Celery application with its tasks."""
    sys.path[0] = str(Path.cwd())
    importlib.import_module("django").setup()
    importlib.import_module("hotelagent.celery").app.loader.import_default_modules()


def run_program(
    arguments: list[str], folder: str, environment: dict[str, str] | None, output: str, errors: str
) -> None:
    """Run the program as `python <arguments>` does, with the standard output and errors in two files.

    An exception of the program ends the process as in any other Python process. The process has a separate process
    group, so that a test can kill it together with the processes that it starts.
    """
    os.setsid()
    for number, path in enumerate((os.devnull, output, errors)):
        file = os.open(path, os.O_RDWR)
        os.dup2(file, number)
        os.close(file)
    if environment is not None:
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

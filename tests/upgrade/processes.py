"""A program that starts the processes of one release: gunicorn, a Celery worker, Celery beat, management commands.

The program loads Django once and forks a child process for each command, a line of JSON in its input. It writes the
process id of the child, or the exit status of a command. The commands are:

    ["web", file descriptor]        gunicorn with the configuration of deploy/, on an inherited listening socket
    ["worker"], ["beat"]            a Celery worker, Celery beat
    ["manage", argument, ...]       a management command
    ["wait", process id]            wait until a process ends, write its exit status
"""

import json
import os
import sys
from collections.abc import Callable

import django

from tests import forking

#: The first inherited socket of socket activation, sd_listen_fds(3).
FIRST_SOCKET = 3


def main() -> None:
    """Execute the commands from standard input until the input ends, then kill the processes."""
    django.setup()
    # These imports need the loaded apps. The second one registers the task of the app `notes` for the worker.
    from hotelagent.celery import app  # noqa: PLC0415
    from tests.upgrade import tasks  # noqa: F401, PLC0415

    app.loader.import_default_modules()
    functions: dict[str, Callable[..., None]] = {"web": _web, "worker": _worker, "beat": _beat}
    children: list[int] = []
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        if name == "manage":
            result = os.waitstatus_to_exitcode(os.waitpid(forking.fork(_manage, *arguments), 0)[1])
        elif name == "wait":
            result = os.waitstatus_to_exitcode(os.waitpid(arguments[0], 0)[1])
            children.remove(arguments[0])
        else:
            result = forking.fork(functions[name], *arguments)
            children.append(result)
        print(result, flush=True)
    forking.kill(children)


def _web(file_descriptor: int) -> None:
    from gunicorn.app.wsgiapp import WSGIApplication  # noqa: PLC0415 - not needed by the other processes

    if file_descriptor != FIRST_SOCKET:
        os.dup2(file_descriptor, FIRST_SOCKET)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    sys.argv = ["gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers", "1", "hotelagent.wsgi"]
    WSGIApplication().run()


def _worker() -> None:
    from hotelagent.celery import app  # noqa: PLC0415 - needs django.setup()

    app.worker_main(
        ["worker", "--pool=prefork", "--concurrency=2", "--loglevel=WARNING", "--without-gossip",
         "--without-mingle", f"--hostname={os.getpid()}"]
    )  # fmt: skip


def _beat() -> None:
    from hotelagent.celery import app  # noqa: PLC0415 - needs django.setup()

    app.Beat(loglevel="WARNING").run()


def _manage(*arguments: str) -> None:
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - needs django.setup()

    execute_from_command_line(["manage.py", *arguments])


if __name__ == "__main__":
    main()

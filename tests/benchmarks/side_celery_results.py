"""The functions that use django-celery-results in the benchmark of storing failed tasks.

The module `contestants` starts a process with the settings of `peer.celery_results`, and calls the functions in
this process.
"""

import time
import traceback
import uuid

from celery import Celery
from celery.app.task import Context
from django.core.management import call_command
from django_celery_results.backends import DatabaseBackend
from django_celery_results.models import TaskResult

from tests.benchmarks.harness import raise_error

app = Celery("bench", set_as_current=False)
# With this setting, the backend stores the name and the arguments of the task, as hotelagent does.
app.conf.result_extended = True
backend = DatabaseBackend(app)


def prepare() -> None:
    """Create the tables of django-celery-results in the benchmark database."""
    call_command("migrate", verbosity=0)


def capture(times: int) -> float:
    """Store the results of failed tasks, and delete the results afterwards.

    Return the mean time in seconds that storing a result took.
    """
    seconds = 0.0
    for number in range(times):
        task_id = str(uuid.uuid4())
        request = Context(
            id=task_id, task="bench.fail", args=[number], kwargs={"guest": "Ana"}, hostname="w@bench"
        )
        try:
            raise_error(number)
        except LookupError as error:
            started = time.perf_counter()
            backend.mark_as_failure(task_id, error, traceback=traceback.format_exc(), request=request)
            seconds += time.perf_counter() - started
    if TaskResult.objects.count() != times:
        raise RuntimeError(f"{TaskResult.objects.count()} of {times} results were stored.")
    TaskResult.objects.all().delete()
    return seconds / times

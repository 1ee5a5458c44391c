"""The Celery application that workers and beat load (`celery -A hotelagent worker`)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun
from django.db import close_old_connections
from django_structlog.celery.steps import DjangoStructLogInitStep

from hotelagent.overview import heartbeats  # noqa: F401 - connects a receiver to Celery's signal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotelagent.settings.production")

app = Celery("hotelagent")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# The package `usage` is not in INSTALLED_APPS, so the call above does not find its tasks.
app.autodiscover_tasks(["hotelagent.usage"])
# DjangoStructLogInitStep adds the id of the HTTP request that sent a task to the log lines of the task.
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def keep_django_logging(**_kwargs: Any) -> None:
    """Do nothing. Celery does not change the logging configuration if this signal has a receiver."""


@task_prerun.connect
@task_postrun.connect
def close_unusable_connections(*, task: Any, **_kwargs: Any) -> None:
    """Close database connections that are broken or older than CONN_MAX_AGE, before and after each task.

    Django does the same before and after each request.
    """
    if not task.request.is_eager:
        close_old_connections()

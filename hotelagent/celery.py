"""The Celery application: `celery -A hotelagent worker`, `celery -A hotelagent beat` (DESIGN 4.7)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun
from django.db import close_old_connections
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotelagent.settings.production")

app = Celery("hotelagent")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)  # a task's lines carry the id of the request that sent it


@setup_logging.connect
def use_our_logging(**_signal: Any) -> None:
    """Keep what Django has set up: to be connected is enough for Celery to leave it alone."""


@task_prerun.connect
@task_postrun.connect
def keep_connections_as_requests_do(*, task: Any, **_signal: Any) -> None:
    """CONN_MAX_AGE and the check of a kept connection hold for tasks as well. Celery itself would log in anew for
    each task: see CELERY_DB_REUSE_MAX.
    """
    if not task.request.is_eager:
        close_old_connections()

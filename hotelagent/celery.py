"""The Celery application: `celery -A hotelagent worker`, `celery -A hotelagent beat` (DESIGN 4.7)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotelagent.settings.production")

app = Celery("hotelagent")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)  # a task's lines carry the id of the request that sent it


@setup_logging.connect
def use_our_logging(**_signal: Any) -> None:
    """Keep what Django has set up: to be connected is enough for Celery to leave it alone."""

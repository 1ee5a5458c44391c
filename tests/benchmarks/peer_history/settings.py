"""The settings of a project whose only app is `peer_history`. django-pghistory uses triggers per statement."""

import os
from typing import Any

import environ
import pgtrigger

SECRET_KEY = "bench"
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "pgtrigger",
    "pghistory",
    "tests.benchmarks.peer_history",
]
PGHISTORY_LEVEL = pgtrigger.Statement
# The login of the owner creates the tables and uses them.
DATABASES: dict[str, Any] = {
    "default": {
        **environ.Env.db_url_config(os.environ["DATABASE_DIRECT_URL"]),
        "CONN_MAX_AGE": None,
    }
}

"""The settings of a project whose only app is `peer_holds`."""

import os
from typing import Any

import environ

SECRET_KEY = "bench"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # an exclusion constraint of this app needs integer ids
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "auditlog",
    "tests.benchmarks.peer_holds",
]
DATABASES: dict[str, Any] = {
    "default": {
        **environ.Env.db_url_config(os.environ["DATABASE_URL"]),
        "CONN_MAX_AGE": None,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode does not support them
    }
}

"""Django settings of a benchmark project whose only app is django-celery-results."""

import os
from typing import Any

import environ

SECRET_KEY = "bench"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django_celery_results"]
DATABASES: dict[str, Any] = {
    "default": {**environ.Env.db_url_config(os.environ["DATABASE_DIRECT_URL"]), "CONN_MAX_AGE": None}
}

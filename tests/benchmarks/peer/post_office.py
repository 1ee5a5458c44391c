"""Django settings of a benchmark project whose only app is django-post-office."""

import os
from typing import Any

import environ

from tests.folders import FOLDER

SECRET_KEY = "bench"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "post_office"]
DATABASES: dict[str, Any] = {
    "default": {**environ.Env.db_url_config(os.environ["DATABASE_DIRECT_URL"]), "CONN_MAX_AGE": None}
}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
vars().update(environ.Env.email_url_config(os.environ["EMAIL_URL"]))
EMAIL_TIMEOUT = 20
MEDIA_ROOT = FOLDER / "post-office"

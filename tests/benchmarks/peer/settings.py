"""Django settings of the benchmark project with django-tenants.

The apps are those of hotelagent. The database backend and the tenant model are those of django-tenants.
"""

import os
from typing import Any

import environ

from hotelagent.settings import base, rest

SECRET_KEY = "bench"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = base.DEFAULT_AUTO_FIELD
AUTH_USER_MODEL = base.AUTH_USER_MODEL
MIN_PASSWORD_LENGTH = base.MIN_PASSWORD_LENGTH
DATABASE_ROLES = False
ROUTING_CHECK_SECONDS = 0.4
TRUSTED_PROXY_HOPS = 0
PLATFORM_HOST = "localhost"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.benchmarks.peer"
CELERY_BEAT_SCHEDULER = base.CELERY_BEAT_SCHEDULER
REST_FRAMEWORK = rest.REST_FRAMEWORK
# The pages and e-mails of the apps use the templates of the app `hotelagent`, which the peer does not install.
TEMPLATES = [{**base.TEMPLATES[0], "DIRS": [base.BASE_DIR / "hotelagent/templates"]}]
SILENCED_SYSTEM_CHECKS = base.SILENCED_SYSTEM_CHECKS

_apps = [app for app in base.INSTALLED_APPS if app not in {"hotelagent", "django_structlog"}]
SHARED_APPS = ["django_tenants", "tests.benchmarks.peer", *_apps]
TENANT_APPS = _apps
INSTALLED_APPS = SHARED_APPS
TENANT_MODEL = "peer.Client"
TENANT_DOMAIN_MODEL = "peer.ClientDomain"
TENANT_BASE_SCHEMA = "peer_base"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter", "tests.benchmarks.peer.router.PlacementRouter"]
DATABASES: dict[str, Any] = {
    "default": {
        **environ.Env.db_url_config(os.environ["DATABASE_DIRECT_URL"]),
        "ENGINE": "django_tenants.postgresql_backend",
        "CONN_MAX_AGE": None,
    }
}
DATABASE_DIRECT = DATABASES["default"]

"""The settings that all environments share. Values come from environment variables (see deploy/example.env)."""

import logging
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from hotelagent import csp
from hotelagent.core import logs
from hotelagent.core.time_zones import use_pinned_time_zones
from hotelagent.settings.environment import env
from hotelagent.settings.rest import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401 - settings of the REST API
from tenants.database.connections import database_settings, derive_direct_url

BASE_DIR = Path(__file__).resolve().parents[2]

# The deployment
VERSION = "0.1.0"
PLATFORM_HOST = env.str("PLATFORM_HOST", default="localhost")
PORT = env.int("PORT", default=8000)
# Number of trusted reverse proxies. With the value 2, the second-to-last address in X-Forwarded-For is the client's.
TRUSTED_PROXY_HOPS = env.int("TRUSTED_PROXY_HOPS", default=0)
# Number of seconds for which a process may use its copy of the routing table (host to hotel). Tests use 0.
ROUTING_CHECK_SECONDS = 0.4
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"hotelagent <no-reply@{PLATFORM_HOST}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
#: The names of the DKIM keys in the DNS zone of the sender. `manage.py doctor` looks the keys up.
DKIM_SELECTORS = env.list("DKIM_SELECTORS", default=[])

# Django
# django.contrib.postgres is not installed, because it would execute two queries on each new connection.
# The fields and constraints of django.contrib.postgres work without an entry in INSTALLED_APPS.
INSTALLED_APPS = [
    "hotelagent",
    "tenants",
    "audit",
    "locks",
    "dlq",
    "reminders",
    "hotelagent.pms",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_filters",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "waffle",
]
MIDDLEWARE = [
    # HealthMiddleware comes first, because health probes use an IP address instead of a host name.
    # Other middleware would refuse a probe, because its header Host contains an IP address and no hotel's host name.
    "hotelagent.monitoring.health.HealthMiddleware",
    "hotelagent.core.metrics.RequestMetricsMiddleware",
    "hotelagent.rest.middleware.RequestIdMiddleware",
    "hotelagent.rest.compression.CompressionMiddleware",
    "hotelagent.rest.middleware.ProblemDocumentMiddleware",
    "hotelagent.https.HttpsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tenants.middleware.HotelMiddleware",
    "hotelagent.csp.ContentSecurityPolicyMiddleware",
    "tenants.middleware.ClientSessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "hotelagent.rest.middleware.SlashMiddleware",
    # BodyLimitMiddleware comes before CsrfViewMiddleware, which reads the forms of anonymous clients.
    "hotelagent.rest.middleware.BodyLimitMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tenants.middleware.ActorMiddleware",
    "hotelagent.admin.language.PreferredLanguageMiddleware",
    "hotelagent.admin.local_time.HotelTimeZoneMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    # AccountRequirementsMiddleware shows messages, so it comes after MessageMiddleware.
    "hotelagent.admin.account.requirements.AccountRequirementsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# ROOT_URLCONF contains the URLs of the platform. For hosts of hotels, HotelMiddleware uses HOTEL_URLCONF.
ROOT_URLCONF = "hotelagent.urls.platform"
HOTEL_URLCONF = "hotelagent.urls.hotel"
FORMER_HOST_URLCONF = "hotelagent.urls.former_host"
WSGI_APPLICATION = "hotelagent.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Staff
AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    # The backend of the platform's staff in a hotel. This backend does not accept passwords.
    "tenants.support.backend.SupportBackend",
]
MIN_PASSWORD_LENGTH = 12
PASSWORD_HASHERS = ["tenants.access.passwords.Argon2idHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "full_name", "email")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": MIN_PASSWORD_LENGTH},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "tenants.access.passwords.MaximumLengthValidator"},
    {"NAME": "tenants.access.passwords.PreviousPasswordValidator"},
]
SESSION_ENGINE = "tenants.access.sessions"
SESSION_COOKIE_AGE = 12 * 3600  # sessions end this many seconds after the login, as long as a long shift
# Sessions end after this number of minutes without a request. Front desk staff should stay logged in during a shift.
PLATFORM_IDLE_MINUTES = env.int("PLATFORM_IDLE_MINUTES", default=30)
HOTEL_IDLE_MINUTES = env.int("HOTEL_IDLE_MINUTES", default=480)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "hotelagent_session"
PASSWORD_RESET_TIMEOUT = 3600  # seconds for which a link to set a new password is valid
# Whether staff of the platform must use two-factor authentication. Each hotel decides for its own staff.
TWO_FACTOR_FOR_PLATFORM = env.bool("TWO_FACTOR_FOR_PLATFORM", default=True)
CSRF_COOKIE_NAME = "hotelagent_csrf"
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
# The system checks auth.E003 and auth.W004 do not recognize our constraint that makes user names unique regardless of
# case.
SILENCED_SYSTEM_CHECKS = ["auth.E003", "auth.W004"]

# The only database alias is "default". It uses the runtime connection, or DATABASE_DIRECT for migrations and backups.
DATABASE_URL = env.str("DATABASE_URL", default="")
DATABASE_DIRECT_URL = env.str("DATABASE_DIRECT_URL", default="") or derive_direct_url(DATABASE_URL)
DATABASES = {"default": database_settings(DATABASE_URL, direct=False)}
DATABASE_DIRECT = database_settings(DATABASE_DIRECT_URL, direct=True)
DATABASE_ROUTERS = ["tenants.database.router.PlacementRouter"]
DATABASE_ROLES = env.bool("DATABASE_ROLES", default=True)
DATABASE_ROLE_PREFIX = env.str("DATABASE_ROLE_PREFIX", default="hotelagent")

# Redis: cache, throttles, broker
REDIS_URL = env.redis("REDIS_URL")
# All keys in Redis begin with this prefix, so several deployments can share a Redis server.
REDIS_KEY_PREFIX = f"{DATABASE_ROLE_PREFIX}:{PLATFORM_HOST}"
CACHES = {
    "default": {
        "BACKEND": "hotelagent.core.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": REDIS_KEY_PREFIX,
        # The function make_cache_key adds the id of the current hotel to each cache key.
        "KEY_FUNCTION": "tenants.context.make_cache_key",
    },
    # Feature flags are the same for all hotels, so their keys do not contain the id of a hotel.
    "flags": {
        "BACKEND": "hotelagent.core.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_KEY_PREFIX}:flags",
    },
}
WAFFLE_CACHE_NAME = "flags"

# Celery
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT = "hotelagent.core.broker:Transport"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Workers and beat try to connect to Redis forever. By default they would exit after 100 attempts.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# The visibility timeout exceeds CELERY_TASK_TIME_LIMIT, so Redis does not deliver a running task again.
# One worker at a time returns unacknowledged messages to their queues. If it is killed, another worker takes over.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_mutex_expire": 10,
    "global_keyprefix": f"{REDIS_KEY_PREFIX}:",
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# This consumer class stores messages that Celery cannot run, such as those of unknown tasks, in the dead-letter queue.
# The default consumer class of Celery drops messages that Celery cannot run.
CELERY_WORKER_CONSUMER = "dlq.capture.consumer:CapturingConsumer"
# Longer than EMAIL_TIMEOUT, so that a worker that stops completes the e-mail that it is sending, and the outcome of no
# reminder is unknown. The grace periods in deploy/ are longer than this time.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 25.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_IGNORE_RESULT = True
# Celery closes the database connection after this number of tasks. No worker reaches such a large number.
# Instead, the module hotelagent.celery closes database connections that are broken or too old.
CELERY_DB_REUSE_MAX = 2**62
CELERY_TASK_TIME_LIMIT = 240
CELERY_TASK_SOFT_TIME_LIMIT = 200
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "hotelagent.beat.LeadingScheduler"

# E-mail
_EMAIL_SETTINGS = env.email("EMAIL_URL")
globals().update(_EMAIL_SETTINGS)
EMAIL_TIMEOUT = 20  # seconds
# WEBHOOK_SECRET is the `user:password` of the e-mail provider's webhooks. Without it, the webhooks are rejected.
ANYMAIL = {**_EMAIL_SETTINGS.get("ANYMAIL", {}), "WEBHOOK_SECRET": env.str("WEBHOOK_SECRET", default="")}

# Language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "hotelagent" / "locale"]
FORMAT_MODULE_PATH = ["hotelagent.formats"]
TIME_ZONE = "UTC"
use_pinned_time_zones()
USE_TZ = True

# The file that beat touches every few seconds while it works, so that a health check can see whether it has stopped.
BEAT_HEARTBEAT_FILE = env.str("BEAT_HEARTBEAT_FILE", default="")

# The private keys that sign the audit trail. They are in an environment variable or in a file. Without a key, no events
# are sealed.
AUDIT_SIGNING_KEY = env.str("AUDIT_SIGNING_KEY", default="")
AUDIT_SIGNING_KEY_FILE = env.str("AUDIT_SIGNING_KEY_FILE", default="")

# Where the signed checkpoints of the audit trails are published: a directory, and a URL that receives POST requests.
AUDIT_PUBLISH_DIRECTORY = env.str("AUDIT_PUBLISH_DIRECTORY", default="")
AUDIT_PUBLISH_URL = env.str("AUDIT_PUBLISH_URL", default="")

# The number of days after which events of the audit trails are deleted. 0 keeps the events for ever.
AUDIT_KEEP_DAYS = env.int("AUDIT_KEEP_DAYS", default=3650)

# The storage of backups, the public keys that encrypt them, and the file with the private keys that decrypt them.
BACKUP_URL = env.str("BACKUP_URL", default="")
BACKUP_RECIPIENTS = env.list("BACKUP_RECIPIENTS", default=[])
BACKUP_IDENTITY_FILE = env.str("BACKUP_IDENTITY_FILE", default="")
# The number of days, weeks and months for which the newest backup of each hotel is kept.
BACKUP_KEEP_DAILY = env.int("BACKUP_KEEP_DAILY", default=7)
BACKUP_KEEP_WEEKLY = env.int("BACKUP_KEEP_WEEKLY", default=5)
BACKUP_KEEP_MONTHLY = env.int("BACKUP_KEEP_MONTHLY", default=12)

# Static files
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / ".hotelagent" / "static"

# Whether URLs of webhooks and calendars may use http and private IP addresses.
ALLOW_PRIVATE_ADDRESSES = env.bool("ALLOW_PRIVATE_ADDRESSES", default=False)
# The ports that these URLs may use, or None for all ports. Other ports could reach services that do not speak HTTP.
OUTGOING_HTTP_PORTS = env.ports("OUTGOING_HTTP_PORTS", default="80,443")

# Number of minutes between two imports of a linked calendar.
CALENDAR_POLL_MINUTES = env.int("CALENDAR_POLL_MINUTES", default=30)

# The default Content-Security-Policy. ContentSecurityPolicyMiddleware uses other policies for some paths.
CONTENT_SECURITY_POLICY = {"DIRECTIVES": csp.PAGE}

# Logs, metrics, error reports, traces
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = "hotelagent.core.logs.configure"
LOGGING = logs.logging_config(json=True, level=LOG_LEVEL)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# Successful tasks are logged at DEBUG, because periodic tasks run every few seconds. Failed tasks are logged at ERROR.
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = logging.DEBUG
# django-structlog may trust the client's request id, because RequestIdMiddleware has validated it.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
# The start of a request is logged at DEBUG only, because the log line at its end also contains the status.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
# IP addresses are not logged, because they are personal data. The audit trail stores them.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
# The login of Flower, as `user:password`. `manage.py flower` does not start without this setting.
WORKER_MONITOR_LOGIN = env.str("WORKER_MONITOR_LOGIN", default="")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# The number of hotels with separate time series in each metric of usage. All other hotels are added up.
METRICS_TOP_HOTELS = env.int("METRICS_TOP_HOTELS", default=50)
# The number of days after which the daily usage of hotels is deleted.
USAGE_KEEP_DAYS = env.int("USAGE_KEEP_DAYS", default=800)
# The version of the deployed code, such as a commit. Failures store it, so that people see which version failed.
CODE_VERSION = env.str("CODE_VERSION", default="")[:40]
SENTRY_DSN = env.str("SENTRY_DSN", default="")
# The base URL of the receiver of traces, and the headers of the requests to it (such as `api-key=value,name=value`).
# OTEL_TRACES_RATIO is the share of the traces that are recorded.
OTEL_EXPORTER_OTLP_ENDPOINT = env.http("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_EXPORTER_OTLP_HEADERS = env.str("OTEL_EXPORTER_OTLP_HEADERS", default="")
OTEL_TRACES_RATIO = env.ratio("OTEL_TRACES_RATIO", default=1.0)

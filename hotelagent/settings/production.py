"""Production: what must be given is asked for by name, and cookies and redirects insist on TLS."""

from django.core.exceptions import ImproperlyConfigured

from hotelagent.settings import base
from hotelagent.settings.environment import env
from tenants.database.connections import allows_plaintext

CURES = {
    "SECRET_KEY": "50 or more random characters, the same on every process",
    "DATABASE_URL": "the runtime login, may go to a pooler: postgres://user:password@host:6432/hotelagent",
    "REDIS_URL": "cache and broker: rediss://:password@host:6379/0",
    "EMAIL_URL": "where mail is handed over: smtp+tls://user:password@host:587",
    "PLATFORM_HOST": "the platform's host; hotels answer below it: example.com -> resort.example.com",
    "DEFAULT_FROM_EMAIL": "the sender of mail for hotels that have none of their own",
}
missing = [name for name in CURES if not env.str(name, default="")]
if missing:
    raise ImproperlyConfigured(
        "Production needs these environment variables:\n"
        + "\n".join(f"  {name}: {CURES[name]}" for name in missing)
    )

for name, route in (
    ("DATABASE_URL", base.DATABASES["default"]),
    ("DATABASE_DIRECT_URL", base.DATABASE_DIRECT),
):
    if allows_plaintext(route):
        raise ImproperlyConfigured(
            f"{name} says sslmode={route['OPTIONS']['sslmode']}, so guests' data could cross the network in the "
            "clear. Say sslmode=verify-full with sslrootcert=..., or at least sslmode=require."
        )

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"])  # HotelMiddleware answers 404 to a host nobody owns
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}


def __getattr__(name: str) -> object:
    return getattr(base, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *vars(base)})

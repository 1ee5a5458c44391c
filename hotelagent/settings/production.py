"""Settings for production. Some environment variables are required. Visitors and the database must use TLS."""

from django.core.exceptions import ImproperlyConfigured

from hotelagent.settings import base
from hotelagent.settings.environment import env
from tenants.database.connections import allows_plaintext

# Copy all settings of `base`. With a star import, the type checker would not detect misspelt names.
globals().update({name: value for name, value in vars(base).items() if name.isupper()})

_REQUIRED = {
    "SECRET_KEY": "50 or more random characters, the same for all processes",
    "DATABASE_URL": "the runtime login, may lead to a pooler: postgres://user:password@host:6432/hotelagent",
    "REDIS_URL": "cache and broker: rediss://:password@host:6379/0",
    "EMAIL_URL": "the mail server or provider: smtp+tls://user:password@host:587",
    "PLATFORM_HOST": "the platform's host name. Hotels are below it: example.com and resort.example.com",
    "DEFAULT_FROM_EMAIL": "the sender of e-mails for hotels without an address of their own",
}
_missing = [name for name in _REQUIRED if not env.str(name, default="")]
if _missing:
    raise ImproperlyConfigured(
        "Production requires these environment variables:\n"
        + "\n".join(f"  {name}: {_REQUIRED[name]}" for name in _missing)
    )

for _variable, _database in (
    ("DATABASE_URL", base.DATABASES["default"]),
    ("DATABASE_DIRECT_URL", base.DATABASE_DIRECT),
):
    if allows_plaintext(_database):
        raise ImproperlyConfigured(
            f"{_variable} has sslmode={_database['OPTIONS']['sslmode']}, which allows unencrypted connections. Use "
            "sslmode=verify-full with sslrootcert=..., or at least sslmode=require."
        )

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
# Django need not check host names, because HotelMiddleware responds with 404 to hosts that belong to no hotel.
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"])
# The number of reverse proxies in front of gunicorn. The default is 1: a single proxy, which handles TLS.
# A system check warns if TRUSTED_PROXY_HOPS is not set.
# If TRUSTED_PROXY_HOPS were 0, all clients would have the proxy's IP address. One client could lock out all others.
TRUSTED_PROXY_HOPS = env.int("TRUSTED_PROXY_HOPS", default=1)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
# HSTS is off by default, because it cannot be revoked: browsers refuse http for the whole period.
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
# Django warns if the three HSTS settings are off. The warnings are silenced, because HSTS is optional.
SILENCED_SYSTEM_CHECKS = [*base.SILENCED_SYSTEM_CHECKS, "security.W004", "security.W005", "security.W021"]
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Browsers accept cookies with the prefix __Host- only from the host itself, over https, and for all paths.
# So a subdomain, such as the host of another hotel, cannot set the cookies of this host.
SESSION_COOKIE_NAME = f"__Host-{base.SESSION_COOKIE_NAME}"
CSRF_COOKIE_NAME = f"__Host-{base.CSRF_COOKIE_NAME}"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

"""Development: everything on this machine. `manage.py` starts the embedded servers and sets their addresses."""

from hotelagent.core import logs
from hotelagent.settings import base
from hotelagent.settings.environment import env

DEBUG = env.bool("DEBUG", default=True)
# Known to all and good for nothing but this machine: production refuses to start without its own.
SECRET_KEY = env.str("SECRET_KEY", default="development-only-" + "0" * 48)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", ".localhost", "127.0.0.1", "[::1]"])
LOGGING = logs.logging_config(json=False, level=base.LOG_LEVEL)
WHITENOISE_AUTOREFRESH = True  # straight from the apps' folders: nothing to collect on this machine
WHITENOISE_USE_FINDERS = True
ALLOW_PRIVATE_ADDRESSES = env.bool("ALLOW_PRIVATE_ADDRESSES", default=True)
MAIL_PORT = env.int("MAIL_PORT", default=8025)


def __getattr__(name: str) -> object:
    return getattr(base, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *vars(base)})

"""Settings for development, where everything runs on this machine.

`manage.py` starts the embedded servers and sets the environment variables with their URLs.
"""

from hotelagent.core import logs
from hotelagent.settings import base
from hotelagent.settings.environment import env

# Copy all settings of `base`. With a star import, the type checker would not detect misspelt names.
globals().update({name: value for name, value in vars(base).items() if name.isupper()})

DEBUG = env.bool("DEBUG", default=True)
# This SECRET_KEY is public, so it protects nothing. Production does not start without its own key.
SECRET_KEY = env.str("SECRET_KEY", default="development-only-" + "0" * 48)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", ".localhost", "127.0.0.1", "[::1]"])
LOGGING = logs.logging_config(json=False, level=base.LOG_LEVEL)
# Static files are served from the folders of the apps, so `collectstatic` is not needed in development.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
# The demonstration accounts must be usable without an authenticator app.
TWO_FACTOR_FOR_PLATFORM = env.bool("TWO_FACTOR_FOR_PLATFORM", default=False)
ALLOW_PRIVATE_ADDRESSES = env.bool("ALLOW_PRIVATE_ADDRESSES", default=True)
OUTGOING_HTTP_PORTS = env.ports("OUTGOING_HTTP_PORTS", default="any")
#: Port of the web pages that show the received e-mails.
MAIL_PORT = env.int("MAIL_PORT", default=8025)

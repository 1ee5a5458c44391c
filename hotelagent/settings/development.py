"""Settings for development, where everything runs on this machine.

`manage.py` starts the embedded servers and sets the environment variables with their URLs.
"""

from hotelagent.core import logs
from hotelagent.settings import base
from hotelagent.settings.environment import env

# Start with a copy of `base`. A star import would do the same, but would hide misspelt names from the type checker.
globals().update({name: value for name, value in vars(base).items() if name.isupper()})

DEBUG = env.bool("DEBUG", default=True)
# This key is public and protects nothing. Production does not start without a key of its own.
SECRET_KEY = env.str("SECRET_KEY", default="development-only-" + "0" * 48)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", ".localhost", "127.0.0.1", "[::1]"])
LOGGING = logs.logging_config(json=False, level=base.LOG_LEVEL)
# Serve static files from the folders of the apps, so that nobody has to run collectstatic.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
ALLOW_PRIVATE_ADDRESSES = env.bool("ALLOW_PRIVATE_ADDRESSES", default=True)
#: Port of the web pages that show the received e-mails.
MAIL_PORT = env.int("MAIL_PORT", default=8025)

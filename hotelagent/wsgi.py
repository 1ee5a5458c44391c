"""The WSGI application that gunicorn loads (`gunicorn hotelagent.wsgi`)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotelagent.settings.production")

application = get_wsgi_application()

"""Many threads, many hotels, one small pool: counts the rows that went to the wrong place.

A process of its own, because the engine under test is a setting: `python -m tests.isolation.program PLAN`,
with a Plan as JSON, prints a Result as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys

import django
from django.conf import settings

from tenants.database.connections import database_settings
from tests.isolation.plan import Plan


def configure(plan: Plan) -> None:
    settings.configure(
        DATABASES={
            "default": {
                **database_settings(plan.url, direct=False),
                "ENGINE": plan.engine,
                "CONN_MAX_AGE": None,
                "CONN_HEALTH_CHECKS": False,
            }
        },
        DATABASE_ROLES=plan.roles,
        SECRET_KEY="isolation",
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "rest_framework",
            "tests.isolation.app.apps.IsolationConfig",
        ],
        AUTH_USER_MODEL="isolation.Guest",
        MIDDLEWARE=[
            "tests.isolation.app.web.HostMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        ROOT_URLCONF="tests.isolation.app.web",
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        TENANT_MODEL="isolation.Marker",
        USE_TZ=True,
    )
    django.setup()


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    configure(plan)
    # It imports models, which can't be before the settings are.
    crowd = importlib.import_module("tests.isolation.crowd")
    sys.stdout.write(json.dumps(vars(crowd.run(plan))))


if __name__ == "__main__":
    main()

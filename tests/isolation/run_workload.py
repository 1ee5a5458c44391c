"""A program that runs the isolation workload: many threads work for many hotels through a small connection pool.

`python -m tests.isolation.run_workload PLAN` takes a WorkloadPlan as JSON and prints a WorkloadResult as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys

import django
from django.conf import settings

from tenants.database.connections import database_settings
from tests.isolation.workload_plan import WorkloadPlan


def configure(plan: WorkloadPlan) -> None:
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
    plan = WorkloadPlan(**json.loads(sys.argv[1]))
    configure(plan)
    # The module imports models, which need configured settings.
    workload = importlib.import_module("tests.isolation.workload")
    sys.stdout.write(json.dumps(vars(workload.run(plan))))


if __name__ == "__main__":
    main()

"""System checks of the time zones and languages of hotels. The checks report values that this server does not know."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError

from hotelagent.core.time_zones import known_time_zones
from tenants.context import platform_context
from tenants.database import quoting
from tenants.models import Language

_HOTELS = """
SELECT h.slug, h.time_zone, h.language,
       lower(h.time_zone) IN (SELECT lower(name) FROM pg_catalog.pg_timezone_names)
FROM tenants_hotel h ORDER BY h.slug
"""
_PERIODIC_TASKS = """
SELECT t.name, c.timezone FROM django_celery_beat_periodictask t
JOIN django_celery_beat_crontabschedule c ON c.id = t.crontab_id WHERE t.enabled ORDER BY t.name
"""


@register(Tags.database)
def check_values_of_hotels(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Check that this process and PostgreSQL know the time zones and languages of all hotels and periodic tasks."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.tenants_hotel') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return []  # The database has not been migrated yet.
            cursor.execute(_HOTELS)
            hotels = cursor.fetchall()
            cursor.execute(_PERIODIC_TASKS)
            tasks = cursor.fetchall()
    except DatabaseError:
        return []  # The system check `check_runtime_login` reports the error.
    messages: list[CheckMessage] = []
    for slug, time_zone, language, is_known_to_postgres in hotels:
        messages += _check_hotel(slug, time_zone, language, is_known_to_postgres=is_known_to_postgres)
    messages += [
        Error(
            f"The time zone {time_zone!r} of the periodic task {name} is not known to this process. "
            "Celery beat does not run the task.",
            hint="Upgrade the package tzdata, or correct the row: UPDATE django_celery_beat_crontabschedule "  # noqa: S608
            f"SET timezone = 'UTC' WHERE timezone = {quoting.literal(time_zone)};",
            id="tenants.E031",
        )
        for name, time_zone in tasks
        if time_zone not in known_time_zones()
    ]
    return messages


def _check_hotel(
    slug: str, time_zone: str, language: str, *, is_known_to_postgres: bool
) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if time_zone not in known_time_zones():
        messages.append(
            Error(
                f"The time zone {time_zone!r} of the hotel {slug} is not known to this process. "
                "The hotel's host names respond with 503.",
                hint="Change the hotel's time zone in the platform's admin, or upgrade the package tzdata.",
                id="tenants.E028",
            )
        )
    elif not is_known_to_postgres:
        messages.append(
            Error(
                f"The time zone {time_zone!r} of the hotel {slug} is not known to PostgreSQL. "
                "The hotel cannot take holds or send reminders.",
                hint="Upgrade PostgreSQL or its time zone database, or change the hotel's time zone.",
                id="tenants.E029",
            )
        )
    if language not in Language.values:
        messages.append(
            Warning(
                f"The language {language!r} of the hotel {slug} is not known to this version, which uses English.",
                hint="Change the hotel's language in the platform's admin.",
                id="tenants.W024",
            )
        )
    return messages

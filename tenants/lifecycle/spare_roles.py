"""PostgreSQL roles that are created before their hotels, many at a time.

When a new role is granted to the runtime login, every connection must read all roles of this login again. Spare roles
are created and granted BATCH at a time, so the roles are read again only once for every BATCH new hotels.
"""

from uuid import UUID

from django.conf import settings
from django.db import connection

from hotelagent.core.ids import uuid7
from tenants.database import roles
from tenants.database.logins import DatabaseLogins
from tenants.models import SpareRole
from tenants.models.hotels import role_name

#: Number of spare roles that are created when none is left.
BATCH = 32

_DATABASE = "SELECT oid::bigint FROM pg_database WHERE datname = current_database()"
_TAKE = f"""
DELETE FROM tenants_sparerole WHERE hotel_id = (
    SELECT hotel_id FROM tenants_sparerole WHERE database = ({_DATABASE})
    ORDER BY hotel_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING hotel_id
"""  # noqa: S608 - a constant


def take_hotel_id() -> UUID:
    """Return the id for a new hotel: the id of a role that was created in advance (spare role), or a new id.

    The spare role is used up when the caller's transaction commits. Needs the context of the platform.
    """
    if not settings.DATABASE_ROLES:
        return uuid7()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE)
        row = cursor.fetchone()
    return row[0] if row else uuid7()


def refill_sql(logins: DatabaseLogins) -> str:
    """Return the SQL statements that create `BATCH` spare roles, or an empty string if there are spare roles.

    This function inserts a `SpareRole` row for each new role. To create the roles, the caller must execute the returned
    statements in the same transaction. Needs the direct connection and the context of the platform.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DATABASE)
        (database,) = cursor.fetchone()
    if SpareRole.objects.filter(database=database).exists():
        return ""
    # If this database is a copy, its spare roles were created for the original database, so delete their rows.
    SpareRole.objects.all().delete()
    spare = SpareRole.objects.bulk_create(SpareRole(database=database) for _ in range(BATCH))
    return "".join(roles.create_role_sql(role=role_name(new.hotel_id), logins=logins) for new in spare)

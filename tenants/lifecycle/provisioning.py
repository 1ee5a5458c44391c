"""Provisioning of hotels: creation of the schema, role and privileges in one transaction and one round trip."""

import contextlib
import logging
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db import Error, connection, transaction

from tenants.access.invitations import schedule_sending
from tenants.context import platform_context
from tenants.database import quoting, roles
from tenants.database.connections import direct_connection, execute_script
from tenants.database.logins import get_database_logins
from tenants.errors import HotelNotFound, HotelStateError, ProvisioningFailed, SchemaTemplateNotFound
from tenants.lifecycle import schema_template, spare_roles
from tenants.models import Hotel, HotelStatus, ManagerInvitation, SchemaTemplate
from tenants.signals import hotel_created

logger = logging.getLogger(__name__)


def provision_hotel(hotel_id: UUID) -> Hotel:
    """Provision and activate a hotel whose status is `provisioning`. Return an active hotel unchanged.

    Uses the direct connection. All changes are committed on return. On failure nothing is changed, ProvisioningFailed
    is raised, and the function can be called again. A concurrent call waits and returns the active hotel. Also raises
    HotelNotFound, HotelStateError and SchemaTemplateNotFound.
    """
    with direct_connection(), platform_context(), wrap_provisioning_errors(), transaction.atomic():
        hotel = Hotel.objects.select_for_update().filter(id=hotel_id).first()
        if hotel is None:
            raise HotelNotFound
        if hotel.status == HotelStatus.ACTIVE:
            return hotel
        if hotel.status != HotelStatus.PROVISIONING:
            raise HotelStateError(f"{hotel.slug} is {hotel.get_status_display()}.", hotel_status=hotel.status)
        return build_hotel(hotel)


def build_hotel(hotel: Hotel) -> Hotel:
    """Create the hotel's schema, role and privileges, and activate the hotel, in the caller's transaction.

    Needs the direct connection, and the caller must have locked or inserted the hotel's row.
    """
    # The row lock on the schema template makes `migrate` wait for this transaction, and then migrate this hotel too.
    # Because of the row lock, hotels are created one after the other, so that connections keep their catalog caches.
    # Every database connection must process about 2,500 invalidations of its catalog caches for each new hotel.
    # A connection that has more than 4,096 unprocessed invalidations must discard all of its catalog caches.
    template = next(
        iter(SchemaTemplate.objects.raw("SELECT * FROM tenants_schematemplate FOR NO KEY UPDATE")), None
    )
    if template is None:
        raise SchemaTemplateNotFound
    script = schema_template.full_script(template)
    execute_script(
        f"CREATE SCHEMA {quoting.identifier(hotel.schema)};\n"
        + schema_template.render_script(script, schema=hotel.schema)
        + _role_sql(hotel, schema_template.list_script_relations(script))
    )
    # Activate the hotel last, because an active hotel receives requests and tasks immediately.
    hotel.status = HotelStatus.ACTIVE
    hotel.schema_version = template.schema_version
    hotel.save(update_fields=["status", "schema_version"])
    hotel_created.send(Hotel, hotel=hotel, detail={"schema": hotel.schema})
    if ManagerInvitation.objects.filter(hotel=hotel).exists():
        schedule_sending(hotel)
    return hotel


def _role_sql(hotel: Hotel, relations: roles.SchemaRelations) -> str:
    if not settings.DATABASE_ROLES:
        return ""
    with connection.cursor() as cursor:
        logins = get_database_logins(cursor)
    return (
        # For a hotel whose role was created in advance (a spare role), the SQL of create_role_sql changes nothing.
        roles.create_role_sql(role=hotel.role, logins=logins)
        + spare_roles.refill_sql(logins)
        + roles.grants_sql(schema=hotel.schema, role=hotel.role, relations=relations)
    )


@contextlib.contextmanager
def wrap_provisioning_errors() -> Iterator[None]:
    """Log a database error and raise it as ProvisioningFailed."""
    try:
        yield
    except Error as error:
        logger.exception("provisioning of a hotel failed")
        raise ProvisioningFailed(str(error).strip()) from error

"""Makes a hotel's schema, role and rights: one message, one transaction, all or nothing (DESIGN 4.5)."""

import contextlib
import logging
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db import Error, connection, transaction

from tenants.context import platform_context
from tenants.database import quoting, roles
from tenants.database.connections import direct_connection, execute_script
from tenants.database.logins import get_database_logins
from tenants.errors import HotelNotFound, HotelStateError, ProvisioningFailed, SchemaTemplateNotFound
from tenants.lifecycle import template
from tenants.models import Hotel, HotelStatus, SchemaTemplate
from tenants.signals import hotel_created

logger = logging.getLogger(__name__)


def provision_hotel(hotel_id: UUID) -> Hotel:
    """Make what a hotel that is `provisioning` still lacks, and activate it.

    Takes the direct route. Everything is there when it returns, or nothing is and ProvisioningFailed tells why;
    it can be called again then. Two calls at once: the second waits, and finds the hotel active.
    """
    with direct_connection(), platform_context(), wrap_provisioning_errors(), transaction.atomic():
        hotel = Hotel.objects.select_for_update().filter(id=hotel_id).first()
        if hotel is None:
            raise HotelNotFound
        if hotel.status == HotelStatus.ACTIVE:
            return hotel
        if hotel.status != HotelStatus.PROVISIONING:
            raise HotelStateError(f"{hotel.slug} is {hotel.get_status_display()}.", status=hotel.status)
        return build_hotel(hotel)


def build_hotel(hotel: Hotel) -> Hotel:
    """The work of `provision_hotel` inside the caller's transaction, on the direct route: the row must be locked."""
    # FOR SHARE: a migration that changes the script waits for us, and then sees this hotel among those behind.
    source = SchemaTemplate.objects.raw("SELECT * FROM tenants_schematemplate FOR SHARE")
    template_row = next(iter(source), None)
    if template_row is None:
        raise SchemaTemplateNotFound
    execute_script(
        f"CREATE SCHEMA {quoting.identifier(hotel.schema)};\n"
        + template.render(template_row.script, schema=hotel.schema)
        + _walls(hotel, template.relations(template_row.script))
    )
    # Last: only now is it routed and scheduled.
    hotel.status = HotelStatus.ACTIVE
    hotel.schema_version = template_row.schema_version
    hotel.save(update_fields=["status", "schema_version"])
    hotel_created.send(Hotel, hotel=hotel, detail={"schema": hotel.schema})
    return hotel


def _walls(hotel: Hotel, relations: roles.SchemaRelations) -> str:
    if not settings.DATABASE_ROLES:
        return ""
    with connection.cursor() as cursor:
        logins = get_database_logins(cursor)
    return roles.create_role_sql(role=hotel.role, logins=logins) + roles.grants_sql(
        schema=hotel.schema, role=hotel.role, relations=relations
    )


@contextlib.contextmanager
def wrap_provisioning_errors() -> Iterator[None]:
    try:
        yield
    except Error as error:
        logger.exception("a hotel could not be made")
        raise ProvisioningFailed(str(error).strip()) from error

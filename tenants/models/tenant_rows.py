"""The base class of tables in the platform's schema that have one row for each tenant, such as its settings.

Tables in the schema of each hotel would make the creation and migration of hotels slower. Row-level security limits
each hotel to its own row, if the table is listed in `tenants.database.shared_roles`. The row of the platform has no
hotel.
"""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from hotelagent.core.ids import uuid7
from tenants.context import current_tenant
from tenants.models.hotels import Hotel

Row = TypeVar("Row", bound="TenantRow")


class TenantRowManager(models.Manager[Row]):
    """A manager whose queries return only the row of the current tenant."""

    def get_queryset(self) -> models.QuerySet[Row]:
        # With the setting DATABASE_ROLES, PostgreSQL returns only the hotel's own row in the context of a hotel.
        # In the platform's context, PostgreSQL returns the rows of all hotels, so the filter is needed.
        # Without the setting DATABASE_ROLES, PostgreSQL returns the rows of all hotels in the context of a hotel, too.
        return super().get_queryset().filter(hotel_id=current_tenant().id)

    def read(self) -> Row:
        """Return the current tenant's row of this table, or an unsaved row with the default values."""
        return self.first() or self.model(hotel_id=current_tenant().id)

    def lock(self) -> Row:
        """Create the row of the current tenant if it does not exist, lock it, and return it."""
        self.bulk_create([self.model(hotel_id=current_tenant().id)], ignore_conflicts=True)
        return self.select_for_update().get()


class TenantRow(models.Model):
    """A table with at most one row for each hotel, and one for the platform."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # `db_index=False`, because the unique constraint has an index on this column.
    # `db_constraint=False`, because the check of a foreign key would lock the row of the hotel.
    hotel = models.ForeignKey(
        Hotel,
        models.CASCADE,
        null=True,
        editable=False,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["hotel"], nulls_distinct=False, name="%(app_label)s_%(class)s_hotel"
            ),
        ]

"""The base classes of tables in the platform's schema whose rows belong to tenants, such as the settings of a hotel.

Tables in the schema of each hotel would make the creation and migration of hotels slower. Row-level security limits
each hotel to its own rows, if the table is listed in `tenants.database.shared_roles`. The rows of the platform have no
hotel.
"""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from hotelagent.core.ids import uuid7
from tenants.context import current_tenant
from tenants.models.hotels import Hotel

Row = TypeVar("Row", bound="TenantModel")


class TenantRowManager(models.Manager[Row]):
    """A manager whose queries return only the rows of the current tenant."""

    def get_queryset(self) -> models.QuerySet[Row]:
        # With the setting DATABASE_ROLES, PostgreSQL returns only the hotel's own rows in the context of a hotel.
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


class TenantModel(models.Model):
    """A table in the platform's schema whose rows belong to a hotel or to the platform."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # `db_index=False`, because the tables have a unique constraint whose index begins with this column.
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


class TenantRow(TenantModel):
    """A table with at most one row for each hotel, and one for the platform."""

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["hotel"], nulls_distinct=False, name="%(app_label)s_%(class)s_hotel"
            ),
        ]

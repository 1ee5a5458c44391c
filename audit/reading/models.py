"""The table of saved searches of the audit trail."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from tenants.models import Hotel
from tenants.models.tenant_rows import TenantRowManager

#: The maximum lengths of the name and of the query string of a saved search.
NAME_LENGTH, QUERY_LENGTH = 80, 2_000


class SavedSearch(models.Model):
    """The filters of a search of the audit trail, which a member of staff saved under a name.

    Only this member of staff sees the search. The table is in the platform's schema, because a table in the schema of
    each hotel costs space for every hotel. The searches of the platform's staff have no hotel.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
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
    # This is not a foreign key, because the accounts of each hotel are in the schema of the hotel.
    user_id = models.UUIDField(editable=False)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    #: The filters, as the query string in the URL of the event list.
    query = models.CharField(max_length=QUERY_LENGTH)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TenantRowManager()

    class Meta:
        db_table = "audit_savedsearch"
        constraints = [
            models.UniqueConstraint(
                fields=["hotel", "user_id", "name"], nulls_distinct=False, name="audit_savedsearch_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name

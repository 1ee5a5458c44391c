"""The table of saved searches of the audit trail."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.models.tenant_rows import TenantModel, TenantRowManager

#: The maximum lengths of the name and of the query string of a saved search.
NAME_LENGTH, QUERY_LENGTH = 80, 2_000


class SavedSearch(TenantModel):
    """The filters of a search of the audit trail, which a member of staff saved under a name.

    Only this member of staff sees the search. The searches of the platform's staff have no hotel.
    """

    # `user_id` is not a foreign key, because the accounts of each hotel are in the schema of the hotel.
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

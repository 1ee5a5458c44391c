"""What the platform itself works with."""

from django.db import models
from django.db.models.functions import Now

from tenants.models.hotels import Hotel


class DueItem(models.Model):
    """ "Hotel H has item I of kind K due at T": the one table that the tick looks at. No personal data.

    `due_at` is when the item is due; `claim_at` is when it may next be handed out: the same moment at
    first, the end of the lease once it is claimed.
    """

    pk = models.CompositePrimaryKey("hotel_id", "kind", "item_id")
    # Not judged by the database: all who make something due would lock the hotel's one row at the same time, and the
    # policy of the table lets a hotel write its own id alone.
    hotel = models.ForeignKey(Hotel, models.CASCADE, db_index=False, db_constraint=False, related_name="+")
    kind = models.CharField(max_length=20)
    item_id = models.UUIDField()
    due_at = models.DateTimeField()
    claim_at = models.DateTimeField()
    claims = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["claim_at"], name="tenants_dueitem_claim_at")]


class Template(models.Model):
    """The script that makes a hotel, kept by `migrate`: pg_dump's text of the template schema. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    script = models.TextField()
    #: What `Hotel.migrated` of a hotel made from it says.
    migrated = models.CharField(max_length=32)
    updated_at = models.DateTimeField(db_default=Now())


class RoutingVersion(models.Model):
    """Grows with each change of what a host leads to: a trigger sees to it. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    version = models.BigIntegerField()


class Lease(models.Model):
    """Who leads, of several processes that stand ready, and until when. The database's clock judges."""

    name = models.CharField(primary_key=True, max_length=40)
    holder = models.CharField(max_length=200)
    expires_at = models.DateTimeField()


class Redelivery(models.Model):
    """How often a task's message came back because its worker died. No row in the ordinary case."""

    task_id = models.UUIDField(primary_key=True)
    deliveries = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

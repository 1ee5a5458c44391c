"""Models whose tables are only in the platform's schema.

The tables contain the due items of hotels, the script for new hotels, the version of host routing, leases, spare roles,
counts of message deliveries, and counts of reminders for each hotel.
"""

from django.db import models
from django.db.models.functions import Now

from hotelagent.core.ids import uuid7
from tenants.models.hotels import Hotel


class DueItem(models.Model):
    """An item that a hotel has to process at a given time. A due item contains no personal data.

    The dispatcher can claim the item from `claim_at` on. Each claim sets `claim_at` to the time at which the item is
    claimed again if the worker dies.
    """

    pk = models.CompositePrimaryKey("hotel_id", "kind", "item_id")
    # `hotel_id` has no foreign key constraint, because with a constraint each INSERT would lock the hotel's row.
    hotel = models.ForeignKey(Hotel, models.CASCADE, db_index=False, db_constraint=False, related_name="+")
    kind = models.CharField(max_length=20)
    item_id = models.UUIDField()
    due_at = models.DateTimeField()
    claim_at = models.DateTimeField()
    claims = models.PositiveSmallIntegerField(default=0)
    #: The kind and the id of the person, API key or command that requested the item, such as "user:<id>".
    #: The initiator is null if the item was scheduled automatically.
    initiator = models.CharField(max_length=80, null=True)
    #: The trace in which the item was scheduled, as a header `traceparent` (W3C Trace Context). The trace
    #: is null if tracing is off, or if the item becomes due much later.
    traceparent = models.CharField(max_length=55, null=True)

    class Meta:
        indexes = [models.Index(fields=["claim_at"], name="tenants_dueitem_claim_at")]


class SchemaTemplate(models.Model):
    """The SQL script that creates a hotel's schema: a pg_dump of the template schema, stored by `migrate`.

    The script is stored in three parts: `before` creates the tables, `after` creates keys, constraints, indexes and
    triggers, and `rows` inserts the rows.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    before = models.TextField()
    after = models.TextField()
    rows = models.TextField()
    #: The value of `Hotel.schema_version` for hotels that are created from the script of the template schema.
    schema_version = models.CharField(max_length=32)
    #: A digest of the definitions of all objects in the template schema (see `schema_description.compute_fingerprint`).
    #: The fingerprint is empty if the schema contains an object that `compute_fingerprint` does not support.
    fingerprint = models.CharField(max_length=64, blank=True)
    updated_at = models.DateTimeField(db_default=Now())


class RoutingVersion(models.Model):
    """A counter that database triggers increment when a hotel, slug or domain changes. The table has one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    version = models.BigIntegerField()


class Lease(models.Model):
    """A right that one process holds for a limited time, such as the right to be the active Celery beat."""

    name = models.CharField(primary_key=True, max_length=40)
    holder = models.CharField(max_length=200)
    expires_at = models.DateTimeField()


class SpareRole(models.Model):
    """A PostgreSQL role that was created in advance for a hotel that will be created later.

    The row stores the id of the future hotel and identifies the database that may use the role. All databases of a
    server share its roles, so a copy of the database must not use the role again.
    """

    hotel_id = models.UUIDField(primary_key=True, default=uuid7)
    #: The oid of the database for which the role was created.
    database = models.BigIntegerField()


class Redelivery(models.Model):
    """The number of times that a Celery message was delivered. Stored only for messages whose worker process died."""

    task_id = models.UUIDField(primary_key=True)
    deliveries = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())


class HotelFigures(models.Model):
    """Counts of one hotel's reminders by a periodic task, so that the platform reads one table for all hotels."""

    hotel = models.OneToOneField(
        Hotel, models.CASCADE, primary_key=True, editable=False, related_name="figures"
    )
    counted_at = models.DateTimeField()
    #: The number of reminders that were sent within the last seven days before `counted_at`.
    mails_sent = models.PositiveIntegerField()
    #: The number of addresses that were suppressed within the last seven days before `counted_at`, because a reminder
    #: bounced.
    mails_bounced = models.PositiveIntegerField()

    def __str__(self) -> str:
        return str(self.hotel_id)

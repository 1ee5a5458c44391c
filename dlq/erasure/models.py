"""The register of erasures, which is kept so that an erasure can be applied again after a restore."""

from django.db import models
from django.db.models.functions import Now


class Erasure(models.Model):
    """The keyed digest of an e-mail address, phone number or other identifier whose data a hotel has erased.

    When an older backup is restored, the erasures of the hotel are applied again. The table is in the platform's schema
    only, is not part of backups, and has no foreign key to the hotel: an erasure is kept if the hotel is deleted and
    then restored.

    The identifier cannot be found without SECRET_KEY.
    """

    pk = models.CompositePrimaryKey("hotel_id", "digest")
    hotel_id = models.UUIDField()
    digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    #: Whether some data were not erased yet: the erasure is running, or a restore brought back data.
    is_pending = models.BooleanField(default=False)

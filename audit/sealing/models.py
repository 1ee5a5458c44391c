"""The shared tables of the transparency logs: one log per trail, with its tiles, checkpoints and public keys.

The tables are in the schema `public`, and hotel roles have no privileges on them. They contain hashes and ids, and no
personal data. A log is kept when its hotel is deleted.
"""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7

#: The smallest UUID. As the last sealed id, this UUID means that no event of the transaction is sealed yet.
FIRST_ID = UUID(int=0)
#: The shortest retention period of a trail in days. The database function `audit_check_deletion` enforces this period.
MIN_KEEP_DAYS = 180
#: The longest retention period in days: the column cannot store a larger number.
MAX_KEEP_DAYS = 32_767


class Log(models.Model):
    """The transparency log of one audit trail: of a hotel, or of the platform if `hotel_id` is null.

    Events are sealed (appended to the log) in the order of (transaction, id). All events up to (`sealed_transaction`,
    `sealed_id`) in this order are in the log. Retention has deleted all events up to (`deleted_transaction`,
    `deleted_id`) in this order.

    A restored hotel continues with a new log. `predecessor` is the earlier log of the hotel. `predecessor_size` and
    `predecessor_root` are the size and the root hash of the earlier log at the time of the restore.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # `hotel_id` is not a foreign key, because the log is kept when the hotel is deleted.
    hotel_id = models.UUIDField(null=True, editable=False)
    #: The name of the log in its checkpoints. The name never changes and is never used again.
    origin = models.CharField(_("name"), max_length=300, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, editable=False)
    predecessor = models.ForeignKey("self", models.PROTECT, null=True, editable=False, related_name="+")
    predecessor_size = models.BigIntegerField(null=True, editable=False)
    predecessor_root = models.BinaryField(null=True, editable=False)
    #: The number of events in the log.
    size = models.BigIntegerField(_("sealed events"), default=0, editable=False)
    sealed_transaction = models.BigIntegerField(default=0, editable=False)
    sealed_id = models.UUIDField(default=FIRST_ID, editable=False)
    #: The number of events that were committed, but not sealed by the last sealing run.
    unsealed = models.BigIntegerField(_("unsealed events"), default=0, editable=False)
    unsealed_since = models.DateTimeField(_("unsealed since"), null=True, editable=False)
    #: The time when the last sealing run over all logs ended. This time is stored only in the log of the platform.
    checked_at = models.DateTimeField(null=True, editable=False)
    #: The reason why the log cannot be sealed. The text is empty if the log can be sealed.
    refusal = models.TextField(_("reason why the log is not sealed"), blank=True, editable=False)
    #: The position of the oldest event that retention has not deleted. It is always the first position of a tile.
    first_kept = models.BigIntegerField(_("deleted by retention"), default=0, editable=False)
    deleted_transaction = models.BigIntegerField(default=0, editable=False)
    deleted_id = models.UUIDField(default=FIRST_ID, editable=False)
    keep_days = models.PositiveSmallIntegerField(
        _("keep events (days)"),
        null=True,
        blank=True,
        help_text=_(
            "Older events are deleted. 0 keeps the events for ever. Leave blank for the platform's retention period."
        ),
    )
    legal_hold = models.BooleanField(
        _("legal hold"),
        default=False,
        help_text=_("Under legal hold, no event of the trail is deleted, and the hotel cannot be deleted."),
    )
    #: The reason why the last run of retention could not delete expired events.
    retention_problem = models.TextField(_("reason why events are not deleted"), blank=True, editable=False)
    #: Maps each target, such as a directory, to the state of the publication there (see `audit.publishing.states`).
    published = models.JSONField(default=dict, editable=False)
    #: The last day, in the hotel's time zone, for which the e-mail to the auditor was sent or is being sent.
    emailed_on = models.DateField(null=True, editable=False)
    #: The result of the last verification: "valid", "invalid" or "undetermined", and what was found.
    verified_at = models.DateTimeField(_("verified"), null=True, editable=False)
    verification = models.CharField(_("verification"), max_length=12, blank=True, editable=False)
    verification_detail = models.TextField(_("result of the verification"), blank=True, editable=False)

    class Meta:
        db_table = "audit_log"
        verbose_name = _("transparency log")
        verbose_name_plural = _("transparency logs")
        ordering = ["origin"]
        constraints = [
            models.UniqueConstraint(
                fields=["hotel_id"],
                condition=Q(closed_at=None),
                nulls_distinct=False,
                name="audit_log_open",
            ),
            models.CheckConstraint(
                condition=Q(keep_days=0) | Q(keep_days__gte=MIN_KEEP_DAYS),
                name="audit_log_keep_days",
            ),
        ]

    def __str__(self) -> str:
        return self.origin


class StoredTile(models.Model):
    """A tile of a transparency log: a block of up to 256 hashes of one level of the Merkle tree.

    A tile of level 0 also has the ids of its events (16 bytes each), and the number of the database
    transaction that recorded the last event.
    """

    pk = models.CompositePrimaryKey("log_id", "level", "number")
    log = models.ForeignKey(Log, models.CASCADE, editable=False, db_index=False, related_name="tiles")
    level = models.SmallIntegerField()
    number = models.BigIntegerField()
    hashes = models.BinaryField()
    ids = models.BinaryField(null=True)
    last_transaction = models.BigIntegerField(null=True)

    class Meta:
        db_table = "audit_tile"
        indexes = [
            # This index finds the position of an event in the log by the database transaction that recorded the event.
            models.Index(
                fields=["log", "last_transaction", "number"],
                condition=Q(level=0),
                name="audit_tile_transaction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level}/{self.number}"


class StoredCheckpoint(models.Model):
    """A signed checkpoint of a log. `note` is the signed text, with the size and the root hash of the log.

    `previous_size` is the size of the log at the previous checkpoint. This size is signed too, so the verification
    finds missing checkpoints.
    """

    pk = models.CompositePrimaryKey("log_id", "size")
    log = models.ForeignKey(Log, models.CASCADE, editable=False, db_index=False, related_name="checkpoints")
    size = models.BigIntegerField()
    previous_size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "audit_checkpoint"

    def __str__(self) -> str:
        return f"{self.size}"


class LogKey(models.Model):
    """A public key that has signed checkpoints of a log.

    `first_size` and `last_size` are the sizes of the log at the first and the last checkpoint that the key has signed.
    `last_size` is null while the key is in use.
    """

    pk = models.CompositePrimaryKey("log_id", "key")
    log = models.ForeignKey(Log, models.CASCADE, editable=False, db_index=False, related_name="keys")
    #: The public key in the text form `name+id+base64`.
    key = models.CharField(max_length=400)
    first_size = models.BigIntegerField()
    last_size = models.BigIntegerField(null=True)

    class Meta:
        db_table = "audit_public_key"

    def __str__(self) -> str:
        return self.key

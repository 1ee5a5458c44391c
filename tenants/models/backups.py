"""The state of the stored backups. The table is only in the platform's schema, and hotels' backups omit it."""

from django.db import models
from django.db.models.functions import Now

from tenants.models.hotels import Hotel


class BackupState(models.Model):
    """The last backup and the last restore drill of one target: a hotel, the platform, the database or the server."""

    #: The target as it appears in the names of backups, such as `hotels/<id>` or `platform`.
    target = models.CharField(primary_key=True, max_length=40)
    hotel = models.OneToOneField(Hotel, models.CASCADE, null=True, related_name="backup_state")
    created_at = models.DateTimeField(db_default=Now())
    #: The time of the next scheduled backup. It is null if backups of the target are not scheduled.
    next_at = models.DateTimeField(null=True)
    #: The newest complete backup.
    name = models.CharField(max_length=400, default="", db_default="")
    succeeded_at = models.DateTimeField(null=True)
    size = models.BigIntegerField(default=0, db_default=0)
    #: The reason of the last failure. The text is empty if the last backup succeeded.
    error = models.CharField(max_length=1000, default="", db_default="")
    #: The newest backup that was restored in a drill without a difference, and the time of that drill.
    drilled_name = models.CharField(max_length=400, default="", db_default="")
    drilled_at = models.DateTimeField(null=True)
    #: The time of the next scheduled drill.
    next_drill_at = models.DateTimeField(null=True)
    #: The reason why the last drill failed. The text is empty if the last drill succeeded.
    drill_error = models.CharField(max_length=1000, default="", db_default="")

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="tenants_backupstate_next_at")]

    def __str__(self) -> str:
        return self.target

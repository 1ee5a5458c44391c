"""The model of uploaded files. Staff and API clients upload the files, and a worker imports them."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json


class ImportKind(models.TextChoices):
    RESERVATIONS = "reservations", _("reservations")
    ROOMS = "rooms", _("rooms")
    #: A calendar file (iCalendar) with more events than a request imports.
    CALENDAR = "calendar", _("calendar events")
    #: JSON Lines with a reservation in each line, which an API client sent.
    BULK = "bulk", _("reservations from a client")


class ImportStatus(models.TextChoices):
    UPLOADED = "uploaded", _("uploaded")
    CHECKING = "checking", _("being checked")
    CHECKED = "checked", _("checked")
    IMPORTING = "importing", _("being imported")
    STOPPED = "stopped", _("stopped")
    FINISHED = "finished", _("imported")


#: The statuses in which a worker has to process the file.
ACTIVE_STATUSES = (ImportStatus.CHECKING, ImportStatus.IMPORTING)
#: The kinds of files that contain reservations.
RESERVATION_KINDS = (ImportKind.RESERVATIONS, ImportKind.CALENDAR, ImportKind.BULK)


class FileImport(models.Model):
    """A file that staff or an API client uploaded, and that a worker imports.

    A worker first checks the rows of a file with columns, and imports them after staff have seen the result of the
    check. Calendars and JSON Lines of API clients have no columns to choose, so they are imported without a check. The
    content includes guests' data, so the row is deleted some days after the upload (`file_imports.services`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=ImportKind, editable=False)
    status = models.CharField(
        _("status"), max_length=12, choices=ImportStatus, default=ImportStatus.UPLOADED, editable=False
    )
    file_name = models.CharField(_("file"), max_length=200, editable=False)
    #: The size of the uploaded file in bytes.
    file_size = models.PositiveIntegerField(editable=False)
    #: The uploaded file, compressed with zlib.
    content = models.BinaryField(editable=False)
    #: The settings that staff chose for reading the file, such as the column of each field.
    settings = models.JSONField(default=dict, editable=False)
    #: A description of the content, such as the columns with sample values (`file_imports.kinds.FileContent`).
    inspection = models.JSONField(default=dict, editable=False)
    #: The number of rows in the file. The upload counts the rows, and each check counts them again.
    total_rows = models.PositiveIntegerField(_("rows"), null=True, editable=False)
    #: The number of rows that are checked or imported. If a worker stops, another worker continues after these rows.
    finished_rows = models.PositiveIntegerField(default=0, editable=False)
    #: The counters of the current check or import, such as the number of created reservations.
    counts = models.JSONField(default=dict, editable=False)
    #: The problems of rows that were not fully imported: JSON lines, compressed as one gzip member per batch.
    problems = models.BinaryField(default=b"", editable=False)
    #: The error that stopped the last check or import, as a translatable message, or null if no error stopped it.
    error = models.JSONField(null=True, editable=False)
    created_at = models.DateTimeField(_("uploaded"), db_default=Now(), editable=False)
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)
    #: The member of staff or the API key that uploaded the file or started the import: kind of actor, id and name.
    staff_kind = models.CharField(max_length=12, default="user", editable=False)
    staff_id = models.CharField(max_length=64, editable=False)
    staff_name = models.CharField(_("by"), max_length=200, editable=False)
    #: The fencing token of the worker that has the lease. A worker with a smaller token can't store anything.
    lease_number = models.PositiveIntegerField(default=0, editable=False)
    lease_ends_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_active(self) -> bool:
        """Return whether a worker has to check or import the file."""
        return self.status in ACTIVE_STATUSES

    @property
    def error_message(self) -> str:
        """Return the error of the last check or import in the active language, or an empty string."""
        return message_from_json(self.error)

    @property
    def admin_model(self) -> str:
        """Return the name of the proxy model whose admin page displays the file."""
        proxy = RoomImport if self.kind == ImportKind.ROOMS else ReservationImport
        return str(proxy._meta.model_name)

    @property
    def percent(self) -> int:
        """Return the percentage of rows that the current check or import has finished."""
        return 100 * self.finished_rows // self.total_rows if self.total_rows else 0


class _OfKind(models.Manager[Any]):
    def __init__(self, *kinds: ImportKind) -> None:
        super().__init__()
        self._kinds = kinds

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(kind__in=self._kinds)


class ReservationImport(FileImport):
    """A proxy model for the imports of reservations, which have separate permissions and admin pages."""

    objects: ClassVar[models.Manager[Any]] = _OfKind(*RESERVATION_KINDS)

    class Meta:
        proxy = True
        verbose_name = _("import of reservations")
        verbose_name_plural = _("imports of reservations")


class RoomImport(FileImport):
    """A proxy model for the imports of rooms, which have separate permissions and admin pages."""

    objects: ClassVar[models.Manager[Any]] = _OfKind(ImportKind.ROOMS)

    class Meta:
        proxy = True
        verbose_name = _("import of rooms")
        verbose_name_plural = _("imports of rooms")

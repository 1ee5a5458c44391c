"""The admin pages "Import reservations" and "Import rooms".

Staff upload a file, choose its columns, check it, import it and see the report.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget

from hotelagent.admin.base import ChangesAuditedByServices, ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList, HotelChangeList
from hotelagent.admin.sites import hotel_site
from reminders.admin.file_import_pages import MappingForm, describe, required_choices
from reminders.file_imports import problems, services
from reminders.file_imports.error_messages import error_message
from reminders.models import FileImport, ImportKind, ImportStatus, ReservationImport, RoomImport
from tenants.errors import DomainError
from tenants.signals import personal_data_read

COLOURS = {
    ImportStatus.UPLOADED: "default",
    ImportStatus.CHECKING: "info",
    ImportStatus.CHECKED: "info",
    ImportStatus.IMPORTING: "info",
    ImportStatus.STOPPED: "warning",
    ImportStatus.FINISHED: "success",
}


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,.tsv,.gz,.xlsx,.jsonl,.ics"}),
    )


class FileImportAdmin(ChangesAuditedByServices, ReadOnlyModelAdmin):
    """Base class of the admin pages for importing reservations and for importing rooms."""

    kind: ClassVar[ImportKind]
    title: ClassVar[Promise]
    upload_help: ClassVar[Promise]
    in_menu = False
    stylesheets = ("reminders/file_imports.css",)
    list_display = ["file_name", "state", "total_rows", "result", "created_at", "staff_name"]
    list_before_template = "reminders/file_import_upload.html"
    ordering = ["-id"]
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the files without their content, which can have several megabytes."""
        files: QuerySet[Any] = super().get_queryset(request)
        return files.defer("content", "problems")

    def get_urls(self) -> list[URLPattern]:
        name = self.opts.model_name
        return [
            path("upload/", self.admin_site.admin_view(self.upload_view), name=f"reminders_{name}_upload"),
            path(
                "<uuid:file_id>/report/",
                self.admin_site.admin_view(self.report_view),
                name=f"reminders_{name}_report",
            ),
            *super().get_urls(),
        ]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"reminders.change_{self.opts.model_name}"))

    def get_empty_list(self, change_list: HotelChangeList) -> EmptyList:
        text = _("There are no uploaded files.")
        if self.has_import_permission(change_list.request):
            text = _("There are no uploaded files. Choose a file above, and upload it to start an import.")
        return EmptyList(text)

    @display(description=_("status"), label=COLOURS)
    def state(self, uploaded: FileImport) -> tuple[str, str]:
        return uploaded.status, uploaded.get_status_display()

    @display(description=_("result"))
    def result(self, uploaded: FileImport) -> str:
        if uploaded.status not in {ImportStatus.FINISHED, ImportStatus.STOPPED}:
            return "-"
        return ", ".join(f"{count.value} {count.label}" for count in describe(uploaded).counts if count.value)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {
            "title": self.title,
            "upload_help": self.upload_help,
            "upload_form": UploadForm(),
            "upload_url": reverse(f"admin:reminders_{self.opts.model_name}_upload"),
            "may_import": self.has_import_permission(request),
            "retention_days": services.DAYS_UNTIL_DELETION,
            "max_megabytes": services.MAX_FILE_SIZE // 1_000_000,
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Store the uploaded file and redirect to the page of the file.

        If the file can't be read, redirect to the list of files.
        """
        list_url = reverse(f"admin:reminders_{self.opts.model_name}_changelist")
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(list_url)
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            self.message_user(request, " ".join(map(str, form.errors["file"])), messages.ERROR)
            return HttpResponseRedirect(list_url)
        upload = form.cleaned_data["file"]
        try:
            content = upload.read(services.MAX_FILE_SIZE + 1)
            uploaded = self._store(upload.name or "", content)
        except DomainError as error:
            self.message_user(request, error_message(error), messages.ERROR)
            return HttpResponseRedirect(list_url)
        return HttpResponseRedirect(self._url(uploaded))

    def _store(self, name: str, content: bytes) -> FileImport:
        """Store an uploaded file. A calendar has no columns to choose, so its import starts immediately."""
        if self.kind == ImportKind.RESERVATIONS and name.lower().endswith((".ics", ".ical")):
            return services.import_file(kind=ImportKind.CALENDAR, name=name, content=content)
        return services.upload_file(kind=self.kind, name=name, content=content)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the current step of a file. A POST request performs one action and redirects back to the page."""
        uploaded = self.get_object(request, object_id)
        if uploaded is None:
            raise Http404
        may_import = self.has_import_permission(request)
        if not (may_import or self.has_view_permission(request, uploaded)):
            raise PermissionDenied
        if request.method == "POST":
            if not may_import:
                raise PermissionDenied
            return self._act(request, uploaded)
        page = describe(uploaded)
        if not uploaded.is_active:  # While an import is running, the page lists no rows.
            self._report_rows(request, uploaded)
        return TemplateResponse(
            request,
            "reminders/file_import.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": self.title,
                "original": uploaded,
                "page": page,
                "may_import": may_import,
                "show_history": request.user.has_perm("audit.view_event"),
                "list_url": reverse(f"admin:reminders_{self.opts.model_name}_changelist"),
                "report_url": reverse(f"admin:reminders_{self.opts.model_name}_report", args=[uploaded.pk]),
                "is_rooms": self.kind == ImportKind.ROOMS,
            },
        )

    def report_view(self, request: HttpRequest, file_id: Any) -> StreamingHttpResponse:
        """Return a CSV file with the rows that were not imported, or were imported only in part."""
        uploaded = self.model.objects.filter(pk=file_id).only("file_name", "problems").first()
        if uploaded is None:
            raise Http404
        if not (self.has_import_permission(request) or self.has_view_permission(request)):
            raise PermissionDenied
        self._report_rows(request, uploaded)
        name = f"{uploaded.file_name.rpartition('.')[0] or uploaded.file_name}-{_('problems')}.csv"
        return StreamingHttpResponse(
            problems.report_lines(uploaded.problems),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": content_disposition_header(as_attachment=True, filename=name) or "",
                "Cache-Control": "no-store",
            },
        )

    def _report_rows(self, request: HttpRequest, uploaded: FileImport) -> None:
        """Report to the audit trail that the response shows rows of the file, unless the file is a list of rooms."""
        if self.kind == ImportKind.RESERVATIONS:
            personal_data_read.send(self.model, request=request, kind="fileimport", ids=[str(uploaded.pk)])

    def _act(self, request: HttpRequest, uploaded: FileImport) -> HttpResponse:
        action = request.POST.get("action", "")
        try:
            if action in {"check", "profile"}:
                self._change_settings(request, uploaded, with_columns=action == "check")
            elif action == "start":
                services.start_import(uploaded)
            elif action == "edit":
                services.change_settings(uploaded, settings=uploaded.settings)
            elif action == "stop":
                services.stop(uploaded)
            elif action == "resume":
                services.resume(uploaded)
            elif action == "delete":
                services.delete(uploaded)
                self.message_user(request, _("The file was deleted."), messages.SUCCESS)
                return HttpResponseRedirect(reverse(f"admin:reminders_{self.opts.model_name}_changelist"))
        except DomainError as error:
            self.message_user(request, error_message(error), messages.ERROR)
        return HttpResponseRedirect(self._url(uploaded))

    def _change_settings(self, request: HttpRequest, uploaded: FileImport, *, with_columns: bool) -> None:
        """Store the settings from the form. If all required settings are present, request a check of the file."""
        settings = MappingForm(uploaded).read(request.POST, with_columns=with_columns)
        services.change_settings(uploaded, settings=settings)
        if with_columns and not required_choices(uploaded):
            services.request_check(uploaded)

    def _url(self, uploaded: FileImport) -> str:
        return reverse(f"admin:reminders_{self.opts.model_name}_change", args=[uploaded.pk])


@admin.register(ReservationImport, site=hotel_site)
class ReservationImportAdmin(FileImportAdmin):
    kind = ImportKind.RESERVATIONS
    title = _("Import reservations")
    upload_help = _(
        "Export all bookings, including cancelled bookings, from your property management system or channel as CSV or "
        "as an Excel workbook (.xlsx). Exports from Cloudbeds, Mews, Opera, Airbnb, Booking.com, Beds24, Hostaway and "
        "Little Hotelier are recognized. You can review the columns and the result of a check before the import. A "
        "calendar (.ics) is imported immediately."
    )


@admin.register(RoomImport, site=hotel_site)
class RoomImportAdmin(FileImportAdmin):
    kind = ImportKind.ROOMS
    title = _("Import rooms")
    upload_help = _(
        "A CSV file or an Excel workbook (.xlsx) with a row for each room: number, type, and optionally floor and "
        "capacity. Existing rooms are not changed. You can review the columns and the result of a check before the "
        "import."
    )

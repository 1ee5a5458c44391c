"""The export links below the list of failures. An export contains all failures that match the filters."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import path

from dlq.admin.searches import query_with_view
from dlq.exports.api import export_response
from dlq.exports.lines import ExportFormat, export

#: Parameters of the list whose values are recorded in the audit trail. Other parameters can contain guests' names.
_PUBLIC_PARAMETERS = ("view", "status", "is_task", "fingerprint", "last_seen_at")


class ExportMixin:
    """Mixin that adds the export links to the list of failures. List the mixin before the model admin class."""

    list_after_template = "dlq/export.html"

    def get_urls(self) -> list[Any]:
        admin: Any = self
        view = admin.admin_site.admin_view(self.export_view)
        urls: list[Any] = super().get_urls()  # type: ignore[misc]
        return [path("export/<slug:export_format>/", view, name="dlq_failure_export"), *urls]

    def export_view(self, request: HttpRequest, export_format: str) -> HttpResponseBase:
        """Return all failures that match the view, the filters and the search of the list, as a file."""
        admin: Any = self
        if not admin.has_view_permission(request) or export_format not in ExportFormat.values:
            raise PermissionDenied
        failures = admin.get_changelist_instance(request).get_queryset(request)
        criteria = [
            f"{name}={value}" if name.startswith(_PUBLIC_PARAMETERS) else name
            for name, value in sorted(query_with_view(request, admin).items())
            if value
        ]
        lines = export(
            failures.order_by(),
            export_format=ExportFormat(export_format),
            may_view=request.user.has_perm("dlq.view_payload"),
            criteria=criteria,
        )
        return export_response(lines, ExportFormat(export_format))

"""The REST API of exports, at /api/v1/dlq/export/."""

from typing import Any

from django.http import StreamingHttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from dlq.exports.lines import CONTENT_TYPES, ExportFormat, export
from dlq.models import FailureStatus
from dlq.redrives.api import FailureSelectionSerializer
from dlq.selection import FailureSelection
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import HotelAPIView


class ExportSerializer(FailureSelectionSerializer):
    """The format of the export, and the failures that it contains."""

    type = serializers.ChoiceField(
        choices=ExportFormat.choices, default=ExportFormat.CSV, help_text="The format of the file."
    )
    status = serializers.MultipleChoiceField(
        choices=FailureStatus.choices, required=False, help_text="The statuses of the failures."
    )


class ExportView(HotelAPIView):
    required_scopes = {"GET": "dlq:read"}

    @extend_schema(
        operation_id="exportFailures",
        parameters=[ExportSerializer],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/jsonl"): OpenApiTypes.STR,
            **problem_responses((422, "`/problems/invalid-selection`: `detail` names the wrong value.")),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export failures as CSV or JSON Lines, newest first.

        The parameters are those of the list of failures, and `type`. The response is sent while it is produced, so it
        has no length. Secret values are masked. Without the scope `dlq:payload`, all values of the payload that may be
        personal are masked, too. In CSV, a cell that a spreadsheet would run as a formula begins with an apostrophe.
        The export is recorded in the audit trail.
        """
        serializer = ExportSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        data: dict[str, Any] = dict(serializer.validated_data)
        export_format = ExportFormat(data.pop("type"))
        selection = FailureSelection.from_values(data)
        lines = export(
            selection.queryset(),
            export_format=export_format,
            may_view="dlq:payload" in getattr(request.user, "scopes", ()),
            criteria=public_criteria(selection.as_json()),
        )
        return export_response(lines, export_format)


def export_response(lines: Any, export_format: ExportFormat) -> StreamingHttpResponse:
    """Return a response that sends the lines as a file."""
    return StreamingHttpResponse(
        lines,
        content_type=CONTENT_TYPES[export_format],
        headers={
            "Content-Disposition": f'attachment; filename="failures.{export_format}"',
            "Cache-Control": "no-store",
        },
    )


def public_criteria(criteria: dict[str, Any]) -> list[str]:
    """Return the criteria of an export as the audit trail records them.

    Texts that a person entered are left out, because they can contain the name of a guest.
    """
    return [
        name if name in {"text", "ordering_key"} else f"{name}={value}"
        for name, value in sorted(criteria.items())
    ]


urlpatterns = [path("dlq/export/", ExportView.as_view(), name="failure-export")]

"""/api/v1/imports/: imports of reservations that a worker runs, with their progress and their problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import django_filters
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from hotelagent.rest.errors import field_errors
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import UUID_REGEX, HotelViewSet
from reminders.file_imports import problems, services
from reminders.models import RESERVATION_KINDS, FileImport, ImportKind, ImportStatus, ReservationImport
from tenants.signals import personal_data_read

#: Number of seconds after which a client should request the progress of an import again.
RETRY_AFTER = 2
_STATE_ERROR = problem_responses(
    (409, "Not allowed in the current status (`/problems/file-import-state-error`).")
)
KINDS = [(kind.value, kind.label) for kind in RESERVATION_KINDS]
_RETRY_AFTER = OpenApiParameter("Retry-After", int, OpenApiParameter.HEADER, response=[200])
_COUNTS = ("created", "updated", "unchanged", "cancelled", "rejected")


class ImportCountsSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField(help_text="Reservations that were created.")
    updated = serializers.IntegerField(help_text="Reservations that were changed.")
    unchanged = serializers.IntegerField(help_text="Rows that changed nothing.")
    cancelled = serializers.IntegerField(help_text="Reservations that a calendar cancelled.")
    rejected = serializers.IntegerField(help_text="Rows that were not imported. See `problems`.")


class ImportSerializer(serializers.ModelSerializer[FileImport]):
    """An import of reservations, with the progress of the worker that runs it."""

    kind = serializers.ChoiceField(choices=KINDS, read_only=True)
    rows = serializers.IntegerField(
        source="total_rows", read_only=True, help_text="The number of rows: lines, or events of a calendar."
    )
    error = serializers.CharField(
        source="error_message",
        read_only=True,
        help_text="Why the import was interrupted, or empty. After an unexpected error, it continues automatically.",
    )
    counts = serializers.SerializerMethodField(help_text="The finished rows by result.")
    problems = serializers.SerializerMethodField(help_text="The URL of the rows that were not imported.")

    class Meta:
        model = FileImport
        fields = (
            "id", "kind", "status", "file_name", "rows", "finished_rows", "counts", "problems", "error", "created_at",
            "started_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs = {"finished_rows": {"help_text": "The number of rows that the worker has finished."}}

    @extend_schema_field(ImportCountsSerializer)
    def get_counts(self, uploaded: FileImport) -> dict[str, int]:
        return {name: uploaded.counts.get(name, 0) for name in _COUNTS}

    @extend_schema_field(OpenApiTypes.URI)
    def get_problems(self, uploaded: FileImport) -> str:
        return str(reverse("import-problems", args=[uploaded.pk], request=self.context["request"]))


class ImportFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=ImportStatus.choices)
    kind = django_filters.ChoiceFilter(choices=KINDS)

    class Meta:
        model = FileImport
        fields = ["status", "kind"]


class ImportViewSet(
    IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, HotelViewSet
):
    """Imports of reservations that a worker runs: bulk requests, calendars, and files that staff uploaded.

    An import and its problems are deleted after seven days, because they contain data of guests.
    """

    queryset = ReservationImport.objects.all()
    resource_name = "import"
    serializer_class = ImportSerializer
    filterset_class = ImportFilter
    lookup_value_regex = UUID_REGEX
    required_scopes = {
        "GET": "reservations:read",
        "POST": "reservations:write",
        "DELETE": "reservations:write",
    }

    def get_queryset(self) -> Any:
        return super().get_queryset().defer("content", "problems")

    @extend_schema(parameters=[_RETRY_AFTER])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Retrieve an import and its progress. While it runs, `Retry-After` says when to ask again."""
        uploaded = self.get_object()
        headers = {"Retry-After": str(RETRY_AFTER)} if uploaded.is_active else None
        return Response(self.get_serializer(uploaded).data, headers=headers)

    @extend_schema(responses={204: None, **_STATE_ERROR})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete an import that is not running, with its content and its problems. Reservations are kept."""
        services.delete(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={200: ImportSerializer, **_STATE_ERROR})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Stop an import. The rows that are already imported are kept."""
        services.stop(self.get_object())
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        operation_id="listImportProblems",
        responses={
            (200, "application/jsonl"): OpenApiResponse(
                OpenApiTypes.STR,
                description="A JSON object in each line: the number of the `row`, its `external_id`, its `result`, "
                "which is `rejected` or `incomplete`, and a `problem` document.",
            )
        },
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def problems(self, request: Request, pk: str) -> StreamingHttpResponse:
        """List the rows of an import that were not imported, or only in part.

        The response has a JSON object in each line (JSON Lines), in the order of the rows.
        """
        uploaded = self.get_object()
        personal_data_read.send(
            type(self), request=request._request, kind="fileimport", ids=[str(uploaded.pk)]
        )
        return StreamingHttpResponse(
            problem_lines(problems.read(uploaded.problems)),
            content_type="application/jsonl; charset=utf-8",
            headers={"Cache-Control": "no-store"},
        )


def problem_lines(found: Iterable[problems.Problem]) -> Iterator[str]:
    """Yield a line of JSON for each row with problems. A row can have several problems."""
    for (row, number, is_rejected), of_row in groupby(
        found, key=lambda problem: (problem.line, problem.number, problem.is_rejected)
    ):
        listed = list(of_row)
        line = {
            "row": row,
            "external_id": number,
            "result": "rejected" if is_rejected else "incomplete",
            "problem": _problem(listed),
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _problem(listed: list[problems.Problem]) -> dict[str, Any]:
    errors = [
        error
        for problem in listed
        for error in field_errors({problem.column or "non_field_errors": [problem.detail or problem.reason]})
    ]
    code = listed[0].code
    return {
        "type": f"/problems/{code}" if code else "about:blank",
        "detail": str(listed[0].reason),
        "errors": errors,
    }


def accepted(request: Request, *, kind: ImportKind, name: str, content: bytes) -> Response:
    """Let a worker import the content. Return the response 202 with the import, whose URL is its `Location`."""
    uploaded = services.import_file(kind=kind, name=name, content=content)
    return Response(
        ImportSerializer(uploaded, context={"request": request}).data,
        status=status.HTTP_202_ACCEPTED,
        headers={
            "Location": reverse("import-detail", args=[uploaded.pk], request=request),
            "Retry-After": str(RETRY_AFTER),
        },
    )

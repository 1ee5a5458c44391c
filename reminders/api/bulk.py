"""/api/v1/reservations/bulk/: the bulk upsert of reservations as JSON Lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.errors import field_errors
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.response_headers import JOB_HEADERS
from hotelagent.rest.schema import ProblemSerializer, problem_responses
from hotelagent.rest.views import HotelAPIView
from reminders.api.imports import ImportSerializer, accepted
from reminders.file_imports.services import MAX_FILE_SIZE
from reminders.models import ImportKind
from reminders.reservations import bulk
from tenants.errors import DomainError

_EXAMPLE = """\
{"external_id": "WEB-1042", "arrival": "2031-07-01", "departure": "2031-07-04", "guest_name": "Ana Lima"}
{"external_id": "WEB-1043", "arrival": "2031-07-02", "departure": "2031-07-04", "guest_name": "Bo Chan", "adults": 2}
"""


OUTCOMES = [(outcome.value, outcome.value) for outcome in bulk.Outcome]


class JSONLinesParser(BaseParser):
    """A parser that returns the text of a JSON Lines request. Each line is parsed later, so an error names its line."""

    media_type = "application/jsonl"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        body = stream.read(MAX_FILE_SIZE + 1)
        if len(body) > MAX_FILE_SIZE:
            raise RequestDataTooBig
        return {"lines": bulk.decode(body)}


class NDJSONParser(JSONLinesParser):
    media_type = "application/x-ndjson"


class RowProblemSerializer(ProblemSerializer):
    """The problem of one row. The id of the request is in the header `X-Request-ID` of the response."""

    request_id = None  # type: ignore[assignment]


class RowResultSerializer(serializers.Serializer[bulk.RowResult]):
    row = serializers.IntegerField(
        help_text="The number of the line in the body. The first line has the number 1."
    )
    external_id = serializers.CharField(help_text="The number in the PMS. Empty if it can't be read.")
    result = serializers.ChoiceField(source="outcome", choices=OUTCOMES)
    id = serializers.UUIDField(
        source="reservation_id",
        allow_null=True,
        help_text="The id of the reservation. Null if it was rejected.",
    )
    problem = serializers.SerializerMethodField(help_text="Why the row was rejected. Null if it was stored.")

    @extend_schema_field(RowProblemSerializer(allow_null=True))
    def get_problem(self, result: bulk.RowResult) -> dict[str, Any] | None:
        return None if result.error is None else _problem(result.error)


class BulkResultSerializer(serializers.Serializer[Any]):
    rows = serializers.IntegerField(help_text="The number of rows: the sum of the following four numbers.")
    created = serializers.IntegerField(help_text="Reservations that were created.")
    updated = serializers.IntegerField(help_text="Reservations that were changed.")
    unchanged = serializers.IntegerField(help_text="Rows that changed nothing.")
    rejected = serializers.IntegerField(help_text="Rows that were not stored. The other rows are stored.")
    results = RowResultSerializer(many=True)


class BulkReservationsView(IdempotentMixin, HotelAPIView):
    """The endpoint that creates and updates many reservations."""

    required_scopes = {"POST": "reservations:write"}
    parser_classes = [JSONLinesParser, NDJSONParser]

    @extend_schema(
        operation_id="upsertReservations",
        parameters=[*JOB_HEADERS],
        request={"application/jsonl": OpenApiTypes.STR, "application/x-ndjson": OpenApiTypes.STR},
        examples=[
            OpenApiExample("Two bookings", value=_EXAMPLE, request_only=True, media_type="application/jsonl")
        ],
        responses={
            200: BulkResultSerializer,
            202: ImportSerializer,
            **problem_responses(
                (413, "The body has more than 8 MB (`/problems/too-large`)."),
                (422, "The body has more than 20,000 rows (`/problems/invalid-file`)."),
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """Create or update many reservations.

        Send JSON Lines: a JSON object in each line, with `external_id` and the fields of
        `PUT /api/v1/reservations/by-external-id/{external_id}/` except for `hold`. Each row has the effect of this PUT,
        so a repeated request changes nothing.

        Up to 200 rows are stored before the response is sent. The response has the status 200 and a result for each
        row. A rejected row has a `problem` and does not prevent the others, so check `rejected`.

        More rows are stored by a worker. The response has the status 202, and `Location` is the URL of an import, which
        shows the progress and the rejected rows.
        """
        data: Any = request.data
        # REST framework does not call the parser if the body is empty.
        text: str = data.get("lines", "")
        rows = bulk.rows_of(text)
        if len(rows) > bulk.MAX_ROWS_IN_REQUEST:
            content = text.encode("utf-8", "surrogateescape")
            return accepted(request, kind=ImportKind.BULK, name="reservations.jsonl", content=content)
        with transaction.atomic():
            results = bulk.BulkUpsert().store(rows)
        body = {"rows": len(results), **bulk.count(results), "results": results}
        return Response(BulkResultSerializer(body).data)


def _problem(error: DomainError) -> dict[str, Any]:
    """Return the problem document of a rejected row. A PUT request for the row would return the same document."""
    return {
        "type": f"/problems/{error.code}",
        "title": str(error.title),
        "status": int(error.status),
        "detail": error.detail,
        "errors": field_errors(error.extra.get("errors", {})),
    }

"""The export of lists as CSV: `GET .../export/` on the list of a view set, with the filters of the list."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions
from rest_framework.decorators import action
from rest_framework.request import Request

from hotelagent.core.text import without_formula
from hotelagent.rest.views import HotelViewSet
from tenants.context import actor_context, current_actor
from tenants.signals import personal_data_read

#: The number of rows that one query reads and that are sent together.
BATCH_SIZE = 500
_BOM = OpenApiParameter(
    "bom",
    bool,
    description="Whether the file begins with a byte order mark, without which Excel does not recognize UTF-8.",
)


class CsvExportMixin(HotelViewSet):
    """Mixin for view sets with a list of rows. It adds the export of the list as CSV.

    The columns are those of the list's serializer.
    """

    #: The name of the downloaded file without its extension, such as `reservations`.
    export_name: ClassVar[str]
    #: Query parameters that the current action accepts in addition to the filters of the list.
    extra_parameters: Sequence[str] = ()

    @extend_schema(
        filters=True,
        parameters=[_BOM],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="The rows as CSV.")},
    )
    @action(detail=False, methods=["get"], pagination_class=None, extra_parameters=("bom",))
    def export(self, request: Request) -> StreamingHttpResponse:
        """Export the list as CSV, newest first.

        The parameters are the filters of the list. The columns are the fields of the list, and the first row has their
        names. The response is sent while the rows are read, so it has no length. Rows that are added meanwhile are left
        out. A cell that a spreadsheet program would run as a formula begins with an apostrophe.
        """
        bom = request.query_params.get("bom", "false")
        if bom not in {"true", "false"}:
            raise exceptions.ValidationError({"bom": [_("Must be a valid boolean.")]})
        rows = self.filter_queryset(self.get_queryset())
        return StreamingHttpResponse(
            # The rows are read after the view has returned, when the request's actor is no longer the current actor.
            _with_current_actor(self._lines(rows, with_bom=bom == "true")),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{self.export_name}.csv"',
                "Cache-Control": "no-store",
            },
        )

    def export_rows(self, instances: Sequence[Any]) -> Sequence[dict[str, Any]]:
        """Return the rows of a batch as dicts with the same keys."""
        rows: Sequence[dict[str, Any]] = self.get_serializer(instances, many=True).data
        return rows

    def export_columns(self) -> Sequence[str]:
        """Return the names of the columns, which are the keys of the dicts that `export_rows` returns."""
        serializer: Any = self.get_serializer()
        return list(serializer.fields)

    def _lines(self, rows: QuerySet[Any], *, with_bom: bool) -> Iterator[str]:
        columns = self.export_columns()
        yield ("\ufeff" if with_bom else "") + _csv([columns])
        for batch in _batches(rows):
            if self.personal_data:
                # The audit event is recorded before these rows are sent. If recording fails, the response ends without
                # the rows.
                personal_data_read.send(
                    type(self),
                    request=self.request._request,
                    kind=self.personal_data,
                    ids=[str(row.pk) for row in batch],
                )
            yield _csv([_cell(row[name]) for name in columns] for row in self.export_rows(batch))


def _with_current_actor(lines: Iterator[str]) -> Iterator[str]:
    """Return an iterator that produces the lines in the context of the current actor, for the audit trail."""
    actor = current_actor()

    def produce() -> Iterator[str]:
        while True:
            with actor_context(actor):
                line = next(lines, None)
            if line is None:
                return
            yield line

    return produce()


def _batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Yield the rows in batches, newest first.

    Each batch is a separate query, because a server-side cursor would not work through a transaction pooler.
    """
    last: UUID | int | None = None
    ordered = rows.order_by("-pk")
    while True:
        batch = list((ordered if last is None else ordered.filter(pk__lt=last))[:BATCH_SIZE])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def _csv(rows: Any) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    """Return the value of a field as a cell. A list of texts becomes one text, such as `101, 102`."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case list() if all(isinstance(item, str) for item in value):
            return without_formula(", ".join(value))
        case dict() | list():
            return without_formula(json.dumps(value, ensure_ascii=False))
        case _:
            return without_formula(str(value))

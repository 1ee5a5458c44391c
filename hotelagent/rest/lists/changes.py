"""Lists of changes: the pages of `?updated_since=`, with which a client keeps a copy of a list up to date.

Transactions commit in another order than they begin. A client that asks for the rows after the newest time that it has
seen would miss a row whose transaction began earlier and ended later. The pages are therefore in the order of the
numbers of the transactions (`changed_in`), and end before the oldest transaction that is still open. No later commit
can add a row to the part of the list that a client has read. The audit trail is sealed in the same way.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from hotelagent.rest.errors import InvalidCursor
from hotelagent.rest.lists.filters import TimeField, TimeFilter
from hotelagent.rest.lists.pagination import NewestFirstPagination

PARAMETER = "updated_since"
DESCRIPTION = (
    "Only rows that were created or changed at or after this time, oldest change first. To receive later changes, "
    "request the URL in `resume` of the last page."
)
_CURSOR = re.compile(r"(\d{1,19})/(\d{1,19})/([0-9a-f-]{36})")
_NO_ID = UUID(int=0)


class ChangesFilter(TimeFilter):
    """The filter `updated_since` of a list with `ChangesPagination`, and of the CSV export of the list."""

    def __init__(self) -> None:
        super().__init__(help_text=DESCRIPTION)

    def filter(self, queryset: Any, since: datetime | None) -> Any:
        if since is None or self.parent.request.parser_context["view"].action == "list":
            return queryset  # for lists, `ChangesPagination` applies this filter
        return queryset.filter(updated_at__gte=since)


@dataclass(frozen=True, slots=True)
class Position:
    """The place up to which a client has read the changes.

    `transaction` and `id` are those of the last row. `start` is the number of the oldest transaction that was open when
    the client began. Changes of this and later transactions are listed whatever their time is.
    """

    start: int
    transaction: int
    id: UUID = _NO_ID

    def encode(self) -> str:
        return base64.urlsafe_b64encode(f"{self.start}/{self.transaction}/{self.id}".encode()).decode()

    @classmethod
    def decode(cls, cursor: str) -> Position:
        """Return the position that `encode` converted to a cursor. Raises InvalidCursor."""
        try:
            found = _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor.encode()).decode())
            if found is None:
                raise InvalidCursor
            return cls(int(found[1]), int(found[2]), UUID(found[3]))
        except (binascii.Error, ValueError) as error:
            raise InvalidCursor from error


class ChangesPagination(NewestFirstPagination):
    """Pagination of a list whose rows have the columns `changed_in` and `updated_at`.

    With the parameter `updated_since`, the pages contain changes, oldest change first. Each page then has the member
    `resume`: the URL that returns the changes after the page. Without the parameter, the newest rows come first.
    """

    _position: Position | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        if PARAMETER not in request.query_params:
            return super().paginate_queryset(queryset, request, view)
        since = TimeField().clean(request.query_params[PARAMETER])
        if since is None:  # an empty value counts as missing, as in all filters
            return super().paginate_queryset(queryset, request, view)
        page_size = self.get_page_size(request)
        assert page_size is not None  # noqa: S101 - the class has a page size
        horizon = _horizon()
        cursor = request.query_params.get(self.cursor_query_param)
        position = Position.decode(cursor) if cursor else Position(start=horizon, transaction=0)
        if position.transaction > horizon:
            # The database was restored on a server that has had fewer transactions.
            raise InvalidCursor
        rows = list(
            queryset.filter(changes_after(position, since=since), changed_in__lt=horizon).order_by(
                "changed_in", "id"
            )[: page_size + 1]
        )
        self._has_more = len(rows) > page_size
        page = rows[:page_size]
        if self._has_more:
            self._position = Position(position.start, page[-1].changed_in, page[-1].id)
        else:
            # Every transaction below the horizon has ended, so the next request can begin there.
            self._position = Position(position.start, horizon)
        self._url = request.build_absolute_uri()
        return page

    def get_paginated_response(self, data: Any) -> Response:
        if self._position is None:
            return super().get_paginated_response(data)
        resume = replace_query_param(self._url, self.cursor_query_param, self._position.encode())
        return Response(
            {
                "next": resume if self._has_more else None,
                "previous": None,
                "resume": resume,
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["properties"]["resume"] = {
            "type": "string",
            "format": "uri",
            "description": "Only with `updated_since`: the URL that returns the changes after this page. Store it, and "
            "request it again later. While there are no changes, the results are empty.",
        }
        return described


def changes_after(position: Position, *, since: datetime) -> Q:
    """Return the condition for the changes after a position.

    The first condition is a range of the index. The others are checked for the rows in this range.
    """
    after = Q(changed_in__gte=position.transaction) & (
        Q(changed_in__gt=position.transaction) | Q(id__gt=position.id)
    )
    return after & (Q(changed_in__gte=position.start) | Q(updated_at__gte=since))


def _horizon() -> int:
    """Return the number of the oldest transaction that is still open. All transactions with smaller numbers have ended.

    A transaction with a larger number may also have ended, but its changes are listed only after the older ones.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])

"""Pages by cursor: stable while rows come and go, and as quick on the last page as on the first."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from hotelagent.rest.errors import InvalidCursor

if TYPE_CHECKING:  # REST framework reads this module while it makes its own views
    from rest_framework.views import APIView


class NewestFirstPagination(CursorPagination):
    """Rows in the order of their keys, the newest first: our keys are time-ordered (UUID version 7).

    A list that is read in another order derives from this and names its `ordering`, which must be unique.
    """

    ordering = "-pk"
    page_size_query_param: str = "page_size"
    page_size_query_description = "How many on a page: 50 if left out, 200 at most."
    max_page_size = 200

    def get_page_size(self, request: Request) -> int | None:
        given = request.query_params.get(self.page_size_query_param, "1")
        if not (given.isascii() and given.isdigit() and given.strip("0")):
            raise exceptions.ValidationError({self.page_size_query_param: [_("A whole number from 1 on.")]})
        return super().get_page_size(request)

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (
            exceptions.NotFound,
            ValidationError,
            ValueError,
        ) as error:  # also a well-formed cursor with a made-up key
            raise InvalidCursor from error

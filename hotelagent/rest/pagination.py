"""Pagination with cursors. New rows do not shift the pages, and the last page is as fast as the first."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from hotelagent.rest.errors import InvalidCursor

# The views of REST framework import this module, so an import of APIView at run time would be circular.
if TYPE_CHECKING:
    from rest_framework.views import APIView


class NewestFirstPagination(CursorPagination):
    """Pagination by primary key, newest row first. Primary keys are time-ordered UUIDs.

    For a different order, define a subclass with another `ordering`, a column with unique values.
    """

    ordering = "-pk"
    page_size_query_param: str = "page_size"
    page_size_query_description = "Number of results per page. The default is 50, the maximum is 200."
    max_page_size = 200

    def get_page_size(self, request: Request) -> int | None:
        value = request.query_params.get(self.page_size_query_param, "1")
        if not (value.isascii() and value.isdigit() and value.strip("0")):
            raise exceptions.ValidationError(
                {self.page_size_query_param: [_("Enter a whole number greater than 0.")]}
            )
        return super().get_page_size(request)

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (exceptions.NotFound, ValidationError, ValueError) as error:
            # ValidationError and ValueError mean that a well-formed cursor contains an invalid primary key.
            raise InvalidCursor from error

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
        """Return the page size of the request. Raises ValidationError if the client asks for a page that is too large.

        A client that silently received fewer rows than it had asked for might take the first page for the whole list.
        """
        value = request.query_params.get(self.page_size_query_param)
        if value is None:
            return self.page_size
        digits = value.lstrip("0")
        is_number = value.isascii() and value.isdigit() and 0 < len(digits) <= len(str(self.max_page_size))
        if not is_number or int(digits) > self.max_page_size:
            message = _("Enter a whole number from 1 to {limit}.").format(limit=self.max_page_size)
            raise exceptions.ValidationError({self.page_size_query_param: [message]})
        return int(digits)

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Return the OpenAPI parameters of the pagination, with the limits of the page size."""
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                limits = {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
                parameter["schema"] = {"type": "integer", **limits}
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of a page of results. REST framework's own schema is not valid OpenAPI 3.1."""
        url = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**url, "description": "The URL of the next page, or null."},
                "previous": {**url, "description": "The URL of the previous page, or null."},
                "results": schema,
            },
        }

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (exceptions.NotFound, ValidationError, ValueError) as error:
            # ValidationError and ValueError mean that a well-formed cursor contains an invalid primary key.
            raise InvalidCursor from error

"""Filtering of lists by query parameters. An unknown parameter is an error."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from hotelagent.rest.lists.pagination import NewestFirstPagination

# The views of REST framework import this module, so an import of GenericViewSet at run time would be circular.
if TYPE_CHECKING:
    from rest_framework.viewsets import GenericViewSet


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    """A filter backend for lists that refuses unknown query parameters.

    Otherwise a misspelt parameter would return all rows.
    """

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: "GenericViewSet[Any]"
    ) -> QuerySet[Any]:
        if view.detail:
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        allowed = {
            *(filterset.filters if filterset else ()),
            *pagination_parameters(view),
            *getattr(view, "extra_parameters", ()),
        }
        refuse_unknown_parameters(request, allowed)
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered


def refuse_unknown_parameters(request: Request, allowed: Iterable[str]) -> None:
    """Raise ValidationError if the request has a query parameter that is not allowed."""
    allowed = set(allowed)
    if unknown := sorted(request.query_params.keys() - allowed):
        message = _("Unknown parameter. Allowed parameters: %(allowed)s.")
        message %= {"allowed": ", ".join(sorted(allowed))}
        raise ValidationError({name: [message] for name in unknown})


class IntegerFilter(django_filters.NumberFilter):  # type: ignore[misc]
    """A filter by an integer. `NumberFilter` also accepts other numbers, and compares the integer part of them."""

    field_class = forms.IntegerField


class TimeField(IsoDateTimeField):  # type: ignore[misc]
    """A form field with a time, which is converted to UTC. PostgreSQL refuses times with an unusual offset from UTC."""

    def clean(self, value: Any) -> datetime | None:
        time: datetime | None = super().clean(value)
        try:
            return time and time.astimezone(UTC)
        except OverflowError as error:
            raise forms.ValidationError(_("Enter a valid date/time.")) from error


class TimeFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]
    """A filter by a time in UTC."""

    field_class = TimeField


def pagination_parameters(view: "GenericViewSet[Any]") -> set[str]:
    """Return the names of the query parameters that select a page of the view's list."""
    paginator = view.paginator
    if not isinstance(paginator, NewestFirstPagination):
        return set()
    return {paginator.cursor_query_param, paginator.page_size_query_param}

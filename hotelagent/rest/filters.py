"""What a list is filtered by, taken at its word: a parameter that we don't know is an error, as in a body."""

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.settings import api_settings

from hotelagent.rest.pagination import NewestFirstPagination

if TYPE_CHECKING:  # REST framework reads this module while it makes its own views
    from rest_framework.viewsets import GenericViewSet


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    """Lists only: who reads one thing is not told that it does not exist because a parameter does not fit it.

    A misspelt `statuss=cancelled` would else quietly list everything.
    """

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: "GenericViewSet[Any]"
    ) -> QuerySet[Any]:
        if view.detail:
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        known = {*(filterset.filters if filterset else ()), *_paging(view), api_settings.URL_FORMAT_OVERRIDE}
        if unknown := sorted(request.query_params.keys() - known):
            text = _("There is no such parameter. Known are: %(known)s.")
            named = text % {"known": ", ".join(sorted(known - {api_settings.URL_FORMAT_OVERRIDE}))}
            raise ValidationError({name: [named] for name in unknown})
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered


def _paging(view: "GenericViewSet[Any]") -> set[str]:
    paginator = view.paginator
    if not isinstance(paginator, NewestFirstPagination):
        return set()
    return {paginator.cursor_query_param, paginator.page_size_query_param}

"""The saved searches above the list of audit events: pages that save and delete the searches of the current person."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from audit.admin.filters import query_of
from audit.reading.models import NAME_LENGTH
from audit.reading.saved_searches import InvalidSavedSearch, delete_search, save_search, searches_of

_LIST = "admin:audit_event_changelist"


def _user_id(request: HttpRequest) -> UUID:
    """Return the id of the member of staff who is logged in."""
    return UUID(str(request.user.pk))


class SavedSearchPages:
    """A mixin for the model admin of events. Put the mixin to the left of the class `ReadOnlyModelAdmin`."""

    def get_urls(self: Any) -> list[URLPattern]:
        def view(function: Any) -> Any:
            return self.admin_site.admin_view(require_POST(function))

        return [
            path("searches/", view(self.save_search_view), name="audit_event_save_search"),
            path(
                "searches/<uuid:search_id>/delete/",
                view(self.delete_search_view),
                name="audit_event_delete_search",
            ),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def saved_search_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the template variables for the saved searches of the current user."""
        query = query_of(request.GET)
        searches = [
            {"search": search, "is_current": search.query == query}
            for search in searches_of(_user_id(request))
        ]
        return {
            "saved_searches": searches,
            "search_query": query,
            "name_length": NAME_LENGTH,
            "is_saved": any(entry["is_current"] for entry in searches),
        }

    def save_search_view(self: Any, request: HttpRequest) -> HttpResponse:
        """Save the filters in the form field `query` under the name in the form field `name`."""
        self._check_permission(request)
        query = query_of(QueryDict(request.POST.get("query", "")))
        try:
            search = save_search(user_id=_user_id(request), name=request.POST.get("name", ""), query=query)
        except InvalidSavedSearch as error:
            self.message_user(request, str(error.detail), messages.ERROR)
        else:
            text = _("The search “%(name)s” was saved.") % {"name": search.name}
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(f"{reverse(_LIST)}?{query}")

    def delete_search_view(self: Any, request: HttpRequest, search_id: UUID) -> HttpResponse:
        self._check_permission(request)
        delete_search(user_id=_user_id(request), search_id=search_id)
        query = query_of(QueryDict(request.POST.get("query", "")))
        return HttpResponseRedirect(f"{reverse(_LIST)}?{query}")

    def _check_permission(self: Any, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

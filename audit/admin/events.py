"""The read-only pages of the audit trail in the admin: the list of events, and the history of each object."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.paginator import InfinitePaginator

from audit.admin.filters import FILTERS, search_of
from audit.admin.saved_searches import SavedSearchPages
from audit.models import Event, attach_causes
from audit.reading.repeated_reads import record_reading
from audit.reading.search import SearchTooBroad, object_timeline
from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.signals import history_requested
from hotelagent.admin.sites import hotel_site, platform_site
from hotelagent.core.text import visible

#: Maximum number of events on a history page.
HISTORY_LENGTH = 200


@admin.register(Event, site=hotel_site)
@admin.register(Event, site=platform_site)
class EventAdmin(SavedSearchPages, ReadOnlyModelAdmin):
    icon = "history"
    menu_group = Group.ACCESS
    menu_order = 0
    item_title = _("Audit trail")
    stylesheets = ("audit/trail.css",)
    list_before_template = "audit/saved_searches.html"
    list_display = ["at", "description_column", "actor_label", "ip", "subject_link"]
    list_display_links = ["at"]
    list_filter = FILTERS
    list_filter_submit = True
    ordering = ["-id"]
    sortable_by: Sequence[str] = ()  # The search index finds events only in the order of ids.
    paginator = InfinitePaginator  # Django's default paginator is slow, because it counts all events.
    empty_list = EmptyList(
        _("No events have been recorded yet."),
        filtered_text=_("No event matches all filters. Choose a longer period, or remove a filter."),
    )
    fields = [
        "at",
        "description_column",
        "event",
        "category_column",
        "actor_kind",
        "actor_id",
        "actor_label",
        "initiator_label",
        "ip",
        "user_agent",
        "request_id",
        "task_id",
        "subject_kind",
        "subject_id",
        "severity",
        "outcome",
        "fields_column",
        "act_link",
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list of events, and record that the current user has read the audit trail."""
        context = {**self.saved_search_context(request), **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            attach_causes(response.context_data["cl"].result_list)
        if response.status_code == HTTPStatus.OK:  # An invalid filter is removed by a redirect.
            record_reading(search_of(request).names())
        return response

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show one event, and record that the current user has read the audit trail."""
        response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        record_reading(["id"])
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Return the events that meet all filters.

        If no index can serve the search, return no events and show a message to the user.
        """
        try:
            return search_of(request).apply(queryset), False
        except SearchTooBroad as error:
            self.message_user(request, str(error.detail), messages.WARNING)
            return queryset.none(), False

    @admin.display(description=_("related events"))
    def act_link(self, event: Event) -> SafeString:
        """Return a link to the events of the same request, task or database transaction as this event."""
        url = reverse("admin:audit_event_changelist")
        return format_html(
            '<a class="underline" href="{}?act={}">{}</a>',
            url,
            event.pk,
            _("Show all events of the same request, task or transaction"),
        )

    @admin.display(description=_("description"))
    def description_column(self, event: Event) -> str:
        return event.description

    @admin.display(description=_("category"))
    def category_column(self, event: Event) -> str:
        return str(event.category.label) if event.category else ""

    @admin.display(description=_("data"))
    def fields_column(self, event: Event) -> str:
        text = json.dumps(event.fields, ensure_ascii=False, indent=1)
        return "\n".join(map(visible, text.split("\n")))

    @admin.display(description=pgettext_lazy("audit trail", "subject"))
    def subject_link(self, event: Event) -> SafeString | str:
        """Return a link to the admin page of the object that the event is about.

        If the object has no admin page, return the object's kind and id. The permissions of the linked page are not
        checked here: users who can read the audit trail can view all models.
        """
        model = self._models_by_subject_kind.get(event.subject_kind)
        if model is None or not event.subject_id:
            return event.subject
        meta = model._meta
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[event.subject_id])
        return format_html('<a class="underline" href="{}">{}</a>', url, meta.verbose_name)

    @cached_property
    def _models_by_subject_kind(self) -> dict[str, type[Model]]:
        models: dict[str, type[Model]] = {
            str(model._meta.model_name): model
            for model in apps.get_models()
            if self.admin_site.is_registered(model)
        }
        aliases = {"hold": "allocation", "api_key": "apikey", "waiting_list_entry": "waitinglistentry"}
        return models | {kind: models[name] for kind, name in aliases.items() if name in models}


@receiver(history_requested)
def history_page(*, request: HttpRequest, model_admin: Any, object_id: str, **_kwargs: Any) -> HttpResponse:
    """Return the page that lists the audit events of one object, newest first.

    The user needs the permissions to view the object and to read the audit trail.
    """
    obj = model_admin.get_object(request, unquote(object_id))
    if obj is None:
        raise Http404
    can_read_trail = request.user.has_perm("audit.view_event")
    if not (can_read_trail and model_admin.has_view_or_change_permission(request, obj)):
        raise PermissionDenied
    record_reading(["subject_id"])
    events = list(object_timeline(obj)[:HISTORY_LENGTH])
    attach_causes(events)
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(
        request,
        "audit/history.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": _("History of %s") % obj,
            "subtitle": None,
            "object": obj,
            "opts": model_admin.opts,
            "events": events,
            "max_events": HISTORY_LENGTH,
        },
    )

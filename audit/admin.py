"""The trail in both admins: a list to look through. Nothing can be changed; the database would refuse it."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RangeDateTimeFilter
from unfold.paginator import InfinitePaginator

from audit.filters import event_choices
from audit.models import Event
from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.sites import hotel_site, platform_site


class WhatHappened(DropdownFilter):  # type: ignore[misc]
    title = _("what happened")
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return event_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(Event, site=hotel_site)
@admin.register(Event, site=platform_site)
class EventAdmin(ReadOnlyModelAdmin):
    icon = "history"
    menu_order = 0
    list_display = ["at", "what", "actor_label", "ip", "about"]
    list_display_links = ["at"]
    list_filter = [WhatHappened, ("actor_kind", ChoicesDropdownFilter), ("at", RangeDateTimeFilter)]
    list_filter_submit = True
    search_fields = ["=subject_id", "=request_id", "=actor_id", "^actor_label"]
    search_help_text = _("An id of a thing, a request or a person, or the beginning of a name")
    ordering = ["-id"]
    paginator = InfinitePaginator  # counting a trail takes longer than reading a page of it
    fields = [
        "at",
        "what",
        "event",
        "actor_kind",
        "actor_id",
        "actor_label",
        "ip",
        "request_id",
        "subject_kind",
        "subject_id",
        "data",
    ]

    @admin.display(description=_("what happened"))
    def what(self, event: Event) -> str:
        return event.sentence

    @admin.display(description=_("about"))
    def about(self, event: Event) -> SafeString | str:
        """Leads to the thing, where it has a page; whoever may read the trail may see everything."""
        model = self._models.get(event.subject_kind)
        if model is None or not event.subject_id:
            return event.subject
        meta = model._meta
        address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[event.subject_id])
        return format_html('<a class="underline" href="{}">{}</a>', address, meta.verbose_name)

    @cached_property
    def _models(self) -> dict[str, type[Model]]:
        """The things with a page on this site, by every name that the trail has for them."""
        found: dict[str, type[Model]] = {
            str(model._meta.model_name): model
            for model in apps.get_models()
            if self.admin_site.is_registered(model)
        }
        other_names = {"hold": "allocation", "api_key": "apikey", "waiting_list_entry": "waitinglistentry"}
        return found | {name: found[known] for name, known in other_names.items() if known in found}

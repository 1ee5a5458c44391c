"""Who waits for a room."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.sites import hotel_site
from locks.admin.holders import NamesHolder, with_names
from locks.listing import waiting_entries
from locks.waiting_list.models import WaitingListEntry, WaitingStatus
from locks.waiting_list.services import cancel_entry

COLOURS = {
    WaitingStatus.WAITING: "info",
    WaitingStatus.OFFERED: "warning",
    WaitingStatus.CLAIMED: "success",
    WaitingStatus.EXPIRED: "default",
    WaitingStatus.CANCELLED: "default",
}


@admin.register(WaitingListEntry, site=hotel_site)
class WaitingListEntryAdmin(NamesHolder, HotelModelAdmin):
    """To look at, and to end a wait. Clients join over REST."""

    icon = "hourglass_top"
    menu_order = 25
    list_display = ["wanted", "check_in", "check_out", "state", "place", "reference", "made_by", "joined_at"]
    list_filter = [("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["reference", "room__number", "room_type", "holder"]
    ordering = ["-id"]
    actions = ["end_wait"]
    readonly_fields = [
        "wanted", "guests", "check_in", "check_out", "status", "place", "hold_id", "reference", "session",
        "made_by", "joined_at", "ended_at", "id",
    ]  # fmt: skip
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitingListEntry]:
        return with_names(waiting_entries())

    @display(description=_("wanted"), ordering="room_type")
    def wanted(self, entry: WaitingListEntry) -> str:
        return str(entry.room or entry.room_type)

    @display(description=_("check-in"), ordering="nights")
    def check_in(self, entry: WaitingListEntry) -> str:
        return date_format(entry.nights.lower)

    @display(description=_("check-out"))
    def check_out(self, entry: WaitingListEntry) -> str:
        return date_format(entry.nights.upper)

    @display(description=_("state"), label=COLOURS, ordering="status")
    def state(self, entry: WaitingListEntry) -> tuple[str, str]:
        state = WaitingStatus(entry.status)
        return state, str(state.label)

    @display(description=_("place"))
    def place(self, entry: Any) -> Any:
        return entry.place

    @admin.action(description=_("End the wait of the selected entries"), permissions=["change"])
    def end_wait(self, request: HttpRequest, queryset: QuerySet[WaitingListEntry]) -> None:
        ended = len(self.apply_to_each(request, queryset, lambda entry: cancel_entry(entry.id)))
        text = ngettext("%(count)d entry no longer waits.", "%(count)d entries no longer wait.", ended)
        self.message_user(request, text % {"count": ended}, messages.SUCCESS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The list's action needs it; an entry's own page only shows."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

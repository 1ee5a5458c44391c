"""The admin page of the waiting list."""

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
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from locks.board.next_steps import OPEN_BOARD
from locks.holder_names import holder_name, with_holder_names
from locks.waiting_list import services
from locks.waiting_list.models import WaitingListEntry, WaitingStatus
from locks.waiting_list.queries import entries_with_position

STATUS_COLORS = {
    WaitingStatus.WAITING: "info",
    WaitingStatus.OFFERED: "warning",
    WaitingStatus.CLAIMED: "success",
    WaitingStatus.EXPIRED: "default",
    WaitingStatus.CANCELLED: "default",
}


@admin.register(WaitingListEntry, site=hotel_site)
class WaitingListEntryAdmin(HotelModelAdmin):
    """The list of waiting list entries. Clients create entries over the REST API. Staff can view and cancel entries."""

    icon = "hourglass_top"
    menu_group = Group.FRONT_DESK
    menu_order = 50
    item_title = _("Waiting list")
    list_display = [
        "requested_room", "check_in", "check_out", "state", "position", "reference", "client", "joined_at",
    ]  # fmt: skip
    list_filter = [("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["reference", "room__number", "room_type", "holder"]
    ordering = ["-id"]
    actions = ["cancel_entries"]
    readonly_fields = [
        "requested_room", "guests", "check_in", "check_out", "status", "position", "hold_id", "reference", "session",
        "client", "joined_at", "ended_at", "id",
    ]  # fmt: skip
    fields = readonly_fields
    empty_list = EmptyList(
        _(
            "No guest is on the waiting list. Booking systems add guests through the REST API when no room is free. "
            "The room board shows the free rooms."
        ),
        (OPEN_BOARD,),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitingListEntry]:
        return with_holder_names(entries_with_position())

    @display(description=_("requested room"), ordering="room_type")
    def requested_room(self, entry: WaitingListEntry) -> str:
        return str(entry.room or entry.room_type)

    @display(description=_("check-in"), ordering="nights")
    def check_in(self, entry: WaitingListEntry) -> str:
        return date_format(entry.nights.lower)

    @display(description=_("check-out"))
    def check_out(self, entry: WaitingListEntry) -> str:
        return date_format(entry.nights.upper)

    @display(description=_("status"), label=STATUS_COLORS, ordering="status")
    def state(self, entry: WaitingListEntry) -> tuple[str, str]:
        status = WaitingStatus(entry.status)
        return status, str(status.label)

    @display(description=_("position"))
    def position(self, entry: Any) -> Any:
        return entry.position

    @display(description=_("client"), ordering="holder")
    def client(self, entry: WaitingListEntry) -> str:
        return holder_name(entry)

    @admin.action(description=_("Cancel selected entries"), permissions=["change"])
    def cancel_entries(self, request: HttpRequest, queryset: QuerySet[WaitingListEntry]) -> None:
        cancelled = self.apply_to_each(request, queryset, lambda entry: services.cancel_entry(entry.id))
        text = ngettext("%(count)d entry was cancelled.", "%(count)d entries were cancelled.", len(cancelled))
        self.message_user(request, text % {"count": len(cancelled)}, messages.SUCCESS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may cancel waiting list entries with the action of the list.

        The page of an entry is read-only.
        """
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""The admin pages for rooms and allocations, including the room board."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, ChoicesDropdownFilter, RangeNumericFilter
from unfold.decorators import action, display

from hotelagent.admin.base import ChangesAuditedByServices, HotelModelAdmin, ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from locks import services
from locks.admin.room_generation import generate_rooms_view
from locks.board.next_steps import GENERATE_ROOMS, IMPORT_ROOMS, OPEN_BOARD
from locks.board.views import board_view
from locks.holder_names import holder_name, with_holder_names
from locks.models import Allocation, AllocationStatus, Room
from locks.selectors import allocations

STATUS_COLORS = {
    AllocationStatus.HELD: "warning",
    AllocationStatus.CONFIRMED: "success",
    AllocationStatus.CLOSED: "danger",
    AllocationStatus.RELEASED: "default",
    AllocationStatus.EXPIRED: "default",
    AllocationStatus.CANCELLED: "default",
}


@admin.register(Room, site=hotel_site)
class RoomAdmin(ChangesAuditedByServices, HotelModelAdmin):
    icon = "bed"
    menu_group = Group.SETUP
    menu_order = 0
    list_display = ["number", "room_type", "floor", "capacity"]
    list_filter = [("room_type", AllValuesCheckboxFilter), ("floor", RangeNumericFilter)]
    list_filter_submit = True
    search_fields = ["number", "room_type"]
    actions_list = ["generate_rooms"]
    empty_list = EmptyList(
        _(
            "There are no rooms yet. Generate all rooms of a floor or building at once, or import a list of rooms."
        ),
        (GENERATE_ROOMS, IMPORT_ROOMS),
    )
    fields = ["number", "room_type", "floor", "capacity"]

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Return the ordering that sorts room numbers numerically: 99, 100, 101."""
        return [Length("number"), "number"]

    def get_urls(self) -> list[URLPattern]:
        board = path("board/", self.admin_site.admin_view(board_view), name="locks_board")
        return [board, *super().get_urls()]

    @action(description=_("Generate rooms"), url_path="generate", permissions=["add"], icon="auto_awesome")
    def generate_rooms(self, request: HttpRequest) -> HttpResponse:
        return generate_rooms_view(request)

    def save_model(self, request: HttpRequest, obj: Room, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in self.fields}
        if change:
            changes = {name: values[name] for name in form.changed_data}
            services.change_room(Room.objects.get(pk=obj.pk), changes=changes)
        else:
            obj.pk = services.create_room(services.NewRoom(**values)).pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for rooms with allocations. Staff close these rooms instead of deleting them."""
        return (
            super().has_delete_permission(request, obj)
            and obj is not None
            and not Allocation.objects.filter(room=obj).exists()
        )


@admin.register(Allocation, site=hotel_site)
class AllocationAdmin(ReadOnlyModelAdmin):
    """The admin list of allocations: holds, stays and closures. Staff change allocations on the room board."""

    icon = "hotel"
    menu_group = Group.FRONT_DESK
    menu_order = 40
    item_title = _("Holds and stays")
    list_display = ["room", "check_in", "check_out", "state", "reference", "client", "created_at"]
    list_filter = [("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["reference", "room__number", "holder"]
    empty_list = EmptyList(
        _("There are no holds, stays or closed rooms yet. Hold or close a room on the room board."),
        (OPEN_BOARD,),
    )
    ordering = ["-id"]
    readonly_fields = [
        "room", "check_in", "check_out", "current_status", "reference", "session", "client", "fencing_token",
        "expires_at", "extensions_left", "reason", "created_at", "id", "group_id",
    ]  # fmt: skip
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Allocation]:
        return with_holder_names(allocations())

    @display(description=_("check-in"), ordering="nights")
    def check_in(self, allocation: Allocation) -> str:
        return date_format(allocation.check_in)

    @display(description=_("check-out"))
    def check_out(self, allocation: Allocation) -> str:
        return date_format(allocation.check_out)

    @display(description=_("status"), label=STATUS_COLORS, ordering="status")
    def state(self, allocation: Any) -> tuple[str, str]:
        status = AllocationStatus(allocation.current_status)
        return status, str(status.label)

    @display(description=_("status"))
    def current_status(self, allocation: Any) -> str:
        return str(AllocationStatus(allocation.current_status).label)

    @display(description=_("client"), ordering="holder")
    def client(self, allocation: Allocation) -> str:
        return holder_name(allocation)

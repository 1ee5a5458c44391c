"""Rooms and stays in the hotel's admin, and the board that shows both."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, ChoicesDropdownFilter, RangeNumericFilter
from unfold.decorators import display

from hotelagent.admin.base import ChangesAuditedByServices, HotelModelAdmin, ReadOnlyModelAdmin
from hotelagent.admin.sites import hotel_site
from locks import services
from locks.admin.holders import NamesHolder, with_names
from locks.board.pages import board_page
from locks.listing import stays
from locks.models import Allocation, AllocationStatus, Room

COLOURS = {
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
    menu_order = 10
    list_display = ["number", "room_type", "floor", "capacity"]
    list_filter = [("room_type", AllValuesCheckboxFilter), ("floor", RangeNumericFilter)]
    list_filter_submit = True
    search_fields = ["number", "room_type"]
    fields = ["number", "room_type", "floor", "capacity"]

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """As people count: 99, 100, 101."""
        return [Length("number"), "number"]

    def get_urls(self) -> list[URLPattern]:
        address = path("board/", self.admin_site.admin_view(board_page), name="locks_board")
        return [address, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Room, form: Any, change: bool) -> None:
        """Through the services, so that one sentence of the trail tells of it, whichever door it came by."""
        values = {name: form.cleaned_data[name] for name in self.fields}
        if change:
            changes = {name: values[name] for name in form.changed_data}
            services.change_room(Room.objects.get(pk=obj.pk), changes=changes)
        else:
            obj.pk = services.create_room(services.NewRoom(**values)).pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A room that had a guest stays: what is gone for good is out of service."""
        return (
            super().has_delete_permission(request, obj)
            and obj is not None
            and not Allocation.objects.filter(room=obj).exists()
        )


@admin.register(Allocation, site=hotel_site)
class StayAdmin(NamesHolder, ReadOnlyModelAdmin):
    """To look at. What can be done with a stay is done on the board."""

    icon = "hotel"
    menu_order = 20
    list_display = ["room", "check_in", "check_out", "shown_status", "reference", "made_by", "created_at"]
    list_filter = [("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["reference", "room__number", "holder"]
    ordering = ["-id"]
    readonly_fields = [
        "room", "check_in", "check_out", "status_now", "reference", "session", "made_by", "fencing_token",
        "expires_at", "extensions_left", "reason", "created_at", "id", "group_id",
    ]  # fmt: skip
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Allocation]:
        return with_names(stays())

    @display(description=_("check-in"), ordering="nights")
    def check_in(self, stay: Allocation) -> str:
        return date_format(stay.check_in)

    @display(description=_("check-out"))
    def check_out(self, stay: Allocation) -> str:
        return date_format(stay.check_out)

    @display(description=_("status"), label=COLOURS, ordering="status")
    def shown_status(self, stay: Allocation) -> tuple[str, str]:
        state = AllocationStatus(getattr(stay, "state", stay.status))
        return state, str(state.label)

    @display(description=_("status"))
    def status_now(self, stay: Allocation) -> str:
        _state, label = self.shown_status(stay)
        return str(label)

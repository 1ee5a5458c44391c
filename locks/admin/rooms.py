"""The admin pages for rooms, including the room board."""

from typing import Any

from django.contrib import admin
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, RangeNumericFilter
from unfold.decorators import action

from hotelagent.admin.base import ChangesAuditedByServices, HotelModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from locks import services
from locks.admin.room_generation import generate_rooms_view
from locks.board.next_steps import GENERATE_ROOMS, IMPORT_ROOMS
from locks.board.views import board_view, month_view
from locks.models import Allocation, Room


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
        month = path("month/", self.admin_site.admin_view(month_view), name="locks_month")
        return [board, month, *super().get_urls()]

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

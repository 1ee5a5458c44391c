"""Rooms and stays in the hotel's admin, and the board that shows both."""

from typing import Any

from django.contrib import admin
from django.db.models import CharField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, ChoicesDropdownFilter, RangeNumericFilter
from unfold.decorators import display

from hotelagent.admin.base import HotelModelAdmin, LookedAtModelAdmin, ToldByServices
from hotelagent.admin.sites import hotel_site
from locks import services
from locks.listing import stays
from locks.models import Room, Stay, StayStatus
from locks.pages import board_page
from tenants.models import ApiKey, User

COLOURS = {
    StayStatus.HELD: "warning",
    StayStatus.CONFIRMED: "success",
    StayStatus.OUT_OF_SERVICE: "danger",
    StayStatus.RELEASED: "default",
    StayStatus.EXPIRED: "default",
    StayStatus.CANCELLED: "default",
}


def _named(people: QuerySet[Any], kind: str, name: str) -> Subquery:
    """The name of a stay's holder, if it is one of these."""
    holder = Concat(Value(f"{kind}:"), Cast("id", CharField()))
    return Subquery(people.alias(holder=holder).filter(holder=OuterRef("holder")).values(name)[:1])


@admin.register(Room, site=hotel_site)
class RoomAdmin(ToldByServices, HotelModelAdmin):
    icon = "bed"
    menu_order = 10
    list_display = ["number", "room_type", "floor", "capacity"]
    list_filter = [("room_type", AllValuesCheckboxFilter), ("floor", RangeNumericFilter)]
    list_filter_submit = True
    search_fields = ["number", "room_type"]
    fields = ["number", "room_type", "floor", "capacity"]

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
            and not Stay.objects.filter(room=obj).exists()
        )


@admin.register(Stay, site=hotel_site)
class StayAdmin(LookedAtModelAdmin):
    """To look at. What can be done with a stay is done on the board."""

    icon = "hotel"
    menu_order = 20
    list_display = ["room", "check_in", "check_out", "shown_status", "reference", "made_by", "created_at"]
    list_filter = [("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["reference", "room__number", "holder"]
    ordering = ["-id"]
    readonly_fields = [
        "room", "check_in", "check_out", "status_now", "reference", "session", "made_by", "fence",
        "expires_at", "extensions_left", "reason", "created_at", "id", "group_id",
    ]  # fmt: skip
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stay]:
        return stays().annotate(
            client=Coalesce(
                _named(User.objects.all(), "user", "username"), _named(ApiKey.objects.all(), "key", "name")
            )
        )

    @display(description=_("holder"), ordering="holder")
    def made_by(self, stay: Stay) -> str:
        """Who took the room: a person's or a key's name; what an operator brought in says so."""
        if stay.holder.startswith("command:"):
            return str(_("import")) if stay.holder == "command:import_reservations" else str(_("operator"))
        return getattr(stay, "client", None) or stay.holder

    @display(description=_("check-in"), ordering="nights")
    def check_in(self, stay: Stay) -> Any:
        return stay.check_in

    @display(description=_("check-out"))
    def check_out(self, stay: Stay) -> Any:
        return stay.check_out

    @display(description=_("status"), label=COLOURS, ordering="status")
    def shown_status(self, stay: Stay) -> tuple[str, str]:
        state = StayStatus(getattr(stay, "state", stay.status))
        return state, str(state.label)

    @display(description=_("status"))
    def status_now(self, stay: Stay) -> str:
        _state, label = self.shown_status(stay)
        return str(label)

"""Reservations: who comes when, in which room, and the timeline of what was written to them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from hotelagent.admin.base import ChangesAuditedByServices, HotelModelAdmin
from hotelagent.admin.sites import hotel_site
from locks.selectors import today
from reminders import selectors
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.services import cancel_reservation, correct_guest

COLOURS = {
    ReservationStatus.BOOKED: "info",
    ReservationStatus.CANCELLED: "default",
    ReservationStatus.NO_SHOW: "warning",
    ReservationStatus.CHECKED_OUT: "success",
}
#: What the front desk corrects; all else is the hotel system's to say.
GUEST = ("guest_name", "guest_email", "guest_phone", "language")


@admin.register(Reservation, site=hotel_site)
class ReservationAdmin(ChangesAuditedByServices, HotelModelAdmin):
    icon = "event"
    menu_order = 0
    stylesheets = ("reminders/reminders.css",)
    list_display = ["external_id", "guest_name", "state", "arrival", "departure", "room", "source"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("arrival", RangeDateFilter),
    ]
    list_filter_submit = True
    list_select_related = ["stay__room"]
    search_fields = ["external_id", "guest_name", "guest_email"]
    date_hierarchy = "arrival"
    actions = ["cancel"]
    change_form_outer_after_template = "reminders/reservation_acts.html"
    readonly_fields = ["external_id", "status", "arrival", "departure", "nights", "room", "adults", "children",
                       "room_type", "source", "country", "booked_on", "status_date", "timeline"]  # fmt: skip
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("external_id", "status"),
                    ("arrival", "departure"),
                    ("room", "nights"),
                ]
            },
        ),
        (_("Guest"), {"fields": [("guest_name", "guest_email"), ("guest_phone", "language")]}),
        (_("Reminders"), {"fields": ["timeline"]}),
        (
            _("Booking"),
            {
                "fields": [
                    ("room_type", "source"),
                    ("adults", "children"),
                    ("country", "booked_on"),
                    "status_date",
                ]
            },
        ),
    ]

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Who is in the house or comes next stands first; who has left, at the end."""
        left = Case(When(departure__lt=today(), then=1), default=0)
        return [left, "arrival", "id"]

    @display(description=_("status"), label=COLOURS, ordering="status")
    def state(self, reservation: Reservation) -> tuple[str, str]:
        return reservation.status, reservation.get_status_display()

    @display(description=_("nights"))
    def nights(self, reservation: Reservation) -> int:
        return reservation.nights

    @display(description=_("room"), empty_value="-")
    def room(self, reservation: Reservation) -> str | None:
        return reservation.stay.room.number if reservation.stay else None

    @display(description=_("timeline"))
    def timeline(self, reservation: Reservation) -> SafeString:
        moments = selectors.timeline(reservation_id=reservation.id)
        return render_to_string("reminders/timeline.html", {"moments": moments})

    @admin.action(description=_("Cancel the reservation"), permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Reservation]) -> None:
        if not self.check_selection_size(request, queryset):
            return
        done = len(
            self.apply_to_each(
                request,
                queryset,
                lambda reservation: cancel_reservation(reservation_id=reservation.id),
                label=lambda reservation: reservation.external_id,
            )
        )
        if done:
            text = ngettext("%d reservation cancelled.", "%d reservations cancelled.", done) % done
            self.message_user(request, text, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Reservation, form: Any, change: bool) -> None:
        correct_guest(reservation_id=obj.id, **{name: getattr(obj, name) for name in GUEST})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

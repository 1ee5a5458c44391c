"""Admin pages for reservations, and the guest names on the room board."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from hotelagent.admin.base import ChangesAuditedByServices
from hotelagent.admin.language_fields import hotel_language_label, offer_languages
from hotelagent.admin.lists import EmptyList, HotelChangeList, ViewFilter
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from locks.selectors import today
from reminders import selectors
from reminders.admin.front_desk.actions import actions_of
from reminders.admin.front_desk.pages import FrontDeskPages
from reminders.admin.next_steps import IMPORT_RESERVATIONS, LINK_CALENDAR, SHOW_ALL_RESERVATIONS
from reminders.day_lists.views import arrivals_view, housekeeping_view
from reminders.models import Reservation, ReservationStatus
from reminders.reservations import countries
from reminders.reservations.services import cancel_reservation, update_guest

COLOURS = {
    ReservationStatus.BOOKED: "info",
    ReservationStatus.INQUIRY: "warning",
    ReservationStatus.CHECKED_IN: "success",
    ReservationStatus.CANCELLED: "default",
    ReservationStatus.NO_SHOW: "warning",
    ReservationStatus.CHECKED_OUT: "default",
}
#: The fields that the front desk may edit. All other fields come from the property management system.
_GUEST_FIELDS = ("guest_name", "guest_email", "guest_phone", "language")
#: The statuses of reservations whose guests will not arrive.
_NOT_EXPECTED = (ReservationStatus.CANCELLED, ReservationStatus.NO_SHOW)


class StaysFilter(ViewFilter):
    """The views of the list of reservations. The list opens with the guests in the house and the coming guests."""

    title = _("stays")
    views = (
        ("coming", _("Today and coming days")),
        ("past", _("Past stays")),
        ("cancelled", _("Cancelled and no-show")),
        ("all", _("All reservations")),
    )

    def rows_of_view(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "coming":
            # Cancelled reservations and no-shows are hidden, unless the user has chosen a status in the filter.
            expected = (
                queryset if "status__exact" in request.GET else queryset.exclude(status__in=_NOT_EXPECTED)
            )
            return expected.filter(departure__gte=today())
        if self.value() == "past":
            return queryset.filter(departure__lt=today())
        if self.value() == "cancelled":
            return queryset.filter(status__in=_NOT_EXPECTED)
        return queryset


class ReservationForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_languages(self, empty_label=hotel_language_label())


@admin.register(Reservation, site=hotel_site)
class ReservationAdmin(ChangesAuditedByServices, FrontDeskPages):
    icon = "event"
    menu_group = Group.FRONT_DESK
    menu_order = 20
    form = ReservationForm
    stylesheets = ("reminders/reminders.css",)
    list_display = ["external_id", "guest_name", "state", "arrival", "departure", "room", "source"]
    list_filter = [
        StaysFilter,
        ("status", ChoicesDropdownFilter),
        ("arrival", RangeDateFilter),
    ]
    list_filter_submit = True
    list_select_related = ["stay__room"]
    search_fields = ["external_id", "guest_name", "guest_email"]
    date_hierarchy = "arrival"
    actions = ["cancel"]
    change_form_outer_before_template = "reminders/front_desk/reservation_actions.html"
    readonly_fields = ["external_id", "status", "arrival", "departure", "nights", "room", "adults", "children",
                       "room_type", "source", "country_name", "booked_on", "status_date", "checked_in_at",
                       "checked_out_at", "timeline"]  # fmt: skip
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
                    ("country_name", "booked_on"),
                    ("checked_in_at", "checked_out_at"),
                    "status_date",
                ]
            },
        ),
    ]

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Order the reservations by arrival date. Reservations whose stay has ended come last."""
        is_past = Case(When(departure__lt=today(), then=1), default=0)
        return [is_past, "arrival", "id"]

    def get_empty_list(self, change_list: HotelChangeList) -> EmptyList:
        if Reservation.objects.exists():
            return EmptyList(_("There are no reservations in this view."), (SHOW_ALL_RESERVATIONS,))
        return EmptyList(
            _(
                "There are no reservations yet. Import the reservations of your property management system, or link "
                "the calendars of your channels."
            ),
            (IMPORT_RESERVATIONS, LINK_CALENDAR),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Reservation | None = None) -> list[str]:
        """Return all fields for a cancelled reservation, which cannot be changed."""
        return [*self.readonly_fields, *(_GUEST_FIELDS if _is_cancelled(obj) else ())]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if _is_cancelled(context.get("original")):
            context |= {"show_save": False, "show_save_and_continue": False}
        context["show_save_and_add_another"] = False
        context |= {"actions": actions_of(request, context["original"]), "next": request.path}
        page: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return page

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("arrivals/", view(arrivals_view), name="reminders_arrivals_list"),
            path("housekeeping/", view(housekeeping_view), name="reminders_housekeeping_list"),
            *super().get_urls(),
        ]

    @display(description=_("status"), label=COLOURS, ordering="status")
    def state(self, reservation: Reservation) -> tuple[str, str]:
        return reservation.status, reservation.get_status_display()

    @display(description=_("nights"))
    def nights(self, reservation: Reservation) -> int:
        return reservation.nights

    @display(description=_("room"), empty_value="-")
    def room(self, reservation: Reservation) -> str | None:
        if reservation.stay is None:
            return None
        further = len(reservation.additional_room_types)
        return f"{reservation.stay.room.number} + {further}" if further else reservation.stay.room.number

    @display(description=_("country"))
    def country_name(self, reservation: Reservation) -> str:
        return countries.country_name(reservation.country)

    @display(description=_("timeline"))
    def timeline(self, reservation: Reservation) -> SafeString:
        entries = selectors.timeline(reservation_id=reservation.id)
        return render_to_string("reminders/timeline.html", {"entries": entries})

    @admin.action(description=_("Cancel reservation"), permissions=["change"])
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
        update_guest(
            reservation_id=obj.id,
            guest_name=obj.guest_name,
            guest_email=obj.guest_email,
            guest_phone=obj.guest_phone,
            language=obj.language,
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_cancelled(reservation: Reservation | None) -> bool:
    return reservation is not None and reservation.status == ReservationStatus.CANCELLED

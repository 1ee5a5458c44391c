"""The admin lists of bookings in the PMS and of conflicts with the PMS."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList, ViewFilter
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from hotelagent.pms import conflicts
from hotelagent.pms.models import Booking, BookingStatus, Conflict
from reminders.models import Reservation

STATUS_COLORS = {
    BookingStatus.SENDING: "info",
    BookingStatus.UNKNOWN: "warning",
    BookingStatus.BOOKED: "success",
    BookingStatus.REFUSED: "danger",
    BookingStatus.CANCELLING: "warning",
    BookingStatus.CANCELLED: "default",
}
#: What happens to a booking whose outcome is not known.
NEXT_STEPS = {
    **dict.fromkeys(
        (BookingStatus.SENDING, BookingStatus.UNKNOWN),
        _(
            "hotelagent searches the PMS for the reference automatically. The room stays held until the outcome is "
            'known. If it stays unclear, a failure under "Problems" says what you must check.'
        ),
    ),
    BookingStatus.CANCELLING: _(
        "hotelagent cancels the booking in the PMS again until the outcome is known."
    ),
}


@admin.register(Booking, site=hotel_site)
class BookingAdmin(ReadOnlyModelAdmin):
    """The admin list of the bookings that we have made in the PMS."""

    icon = "book_online"
    menu_group = Group.SETUP
    menu_order = 51
    tab_of = "admin:locks_webhook_changelist"
    list_display = ["reference", "state", "room_type", "check_in", "check_out", "pms_id", "error_text"]
    list_filter = ["status"]
    search_fields = ["reference", "pms_id"]
    ordering = ["-id"]
    readonly_fields = [
        "reference", "status", "next_step", "pms_id", "reservation", "room_type", "room_count", "check_in", "check_out",
        "adults", "children", "total", "sends", "resolve_attempts", "last_sent_at", "error_text", "created_at",
    ]  # fmt: skip
    fields = readonly_fields
    empty_list = EmptyList(_("No bookings have been made in the PMS through hotelagent yet."))

    @display(description=_("state"), label=STATUS_COLORS, ordering="status")
    def state(self, booking: Booking) -> tuple[str, str]:
        status = BookingStatus(booking.status)
        return status, str(status.label)

    @display(description=_("error"), empty_value="-")
    def error_text(self, booking: Booking) -> str | None:
        return booking.error_message or None

    @display(description=_("next step"), empty_value="-")
    def next_step(self, booking: Booking) -> str | None:
        text = NEXT_STEPS.get(BookingStatus(booking.status))
        return str(text) if text else None

    @display(description=_("reservation"), empty_value="-")
    def reservation(self, booking: Booking) -> SafeString | None:
        if booking.reservation_id is None:
            return None
        return _reservation_link(Reservation.objects.filter(id=booking.reservation_id).first())

    @display(description=_("price"), empty_value="-")
    def total(self, booking: Booking) -> str | None:
        if booking.price is None:
            return None
        return (
            f"{number_format(booking.price, decimal_pos=2, force_grouping=True)} {booking.currency}".strip()
        )


class OpenConflictsFilter(ViewFilter):
    """The tabs above the list of conflicts."""

    title = _("view")
    views = (("open", _("Open")), ("all", _("All")))

    def rows_of_view(self, request: HttpRequest, queryset: QuerySet[Conflict]) -> QuerySet[Conflict]:
        return queryset.filter(settled_at=None) if self.value() == "open" else queryset


@admin.register(Conflict, site=hotel_site)
class ConflictAdmin(ReadOnlyModelAdmin):
    """The admin list of the conflicts with the PMS that the front desk must settle."""

    icon = "event_busy"
    menu_group = Group.PROBLEMS
    menu_order = 52
    tab_of = "admin:dlq_failuregroup_changelist"
    list_display = ["pms_id", "kind", "what_to_check", "check_in", "check_out", "created_at", "settled_at"]
    list_filter = [OpenConflictsFilter]
    ordering = ["-id"]
    actions = ["settle"]
    readonly_fields = [
        "pms_id", "reservation", "kind", "what_to_check", "check_in", "check_out", "created_at", "settled_at",
    ]  # fmt: skip
    fields = readonly_fields
    empty_list = EmptyList(_("There are no conflicts between the PMS and the hotel's rooms."))

    change_form_outer_before_template = "pms/conflict_actions.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        may_settle = context["original"].settled_at is None and self.has_settle_permission(request)
        page: HttpResponse = super().render_change_form(
            request, {**context, "may_settle": may_settle}, *args, **kwargs
        )
        return page

    @display(description=_("reservation"), empty_value="-")
    def reservation(self, conflict: Conflict) -> SafeString | None:
        return _reservation_link(Reservation.objects.filter(external_id=conflict.pms_id).first())

    @display(description=_("what to check"))
    def what_to_check(self, conflict: Conflict) -> str:
        return conflict.message

    @admin.action(description=_("Mark as settled"), permissions=["settle"])
    def settle(self, request: HttpRequest, queryset: QuerySet[Conflict]) -> None:
        settled = self.apply_to_each(request, queryset, lambda conflict: conflicts.settle(conflict.id))
        text = ngettext("%d conflict was settled.", "%d conflicts were settled.", len(settled))
        self.message_user(request, text % len(settled), messages.SUCCESS)

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("pms.change_conflict"))


def _reservation_link(reservation: Reservation | None) -> SafeString | None:
    if reservation is None:
        return None
    url = reverse("admin:reminders_reservation_change", args=[reservation.id])
    return format_html('<a class="underline" href="{}">{}</a>', url, reservation)

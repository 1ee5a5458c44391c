"""The admin lists of bookings in the PMS and of conflicts with the PMS."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList, ViewFilter
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from hotelagent.pms import conflicts
from hotelagent.pms.models import Booking, BookingStatus, Conflict

STATUS_COLORS = {
    BookingStatus.SENDING: "info",
    BookingStatus.UNKNOWN: "warning",
    BookingStatus.BOOKED: "success",
    BookingStatus.REFUSED: "danger",
    BookingStatus.CANCELLING: "warning",
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
        "reference", "status", "pms_id", "room_type", "check_in", "check_out", "adults", "children", "price",
        "currency", "sends", "resolve_attempts", "last_sent_at", "error_text", "created_at",
    ]  # fmt: skip
    fields = readonly_fields
    empty_list = EmptyList(_("No bookings have been made in the PMS through hotelagent yet."))

    @display(description=_("state"), label=STATUS_COLORS, ordering="status")
    def state(self, booking: Booking) -> tuple[str, str]:
        status = BookingStatus(booking.status)
        return status, str(status.label)

    @display(description=_("error"), empty_value="-")
    def error_text(self, booking: Booking) -> str:
        return booking.error_message


class OpenConflictsFilter(ViewFilter):
    """The tabs above the list of conflicts."""

    title = _("view")
    views = (("open", _("Open")), ("all", _("All")))

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Conflict]) -> QuerySet[Conflict]:
        return queryset.filter(settled_at=None) if self.value() == "open" else queryset


@admin.register(Conflict, site=hotel_site)
class ConflictAdmin(ReadOnlyModelAdmin):
    """The admin list of the conflicts with the PMS that the front desk must settle."""

    icon = "event_busy"
    menu_group = Group.SETUP
    menu_order = 52
    tab_of = "admin:locks_webhook_changelist"
    list_display = ["pms_id", "kind", "what_to_check", "check_in", "check_out", "created_at", "settled_at"]
    list_filter = [OpenConflictsFilter]
    ordering = ["-id"]
    actions = ["settle"]
    readonly_fields = ["pms_id", "kind", "what_to_check", "check_in", "check_out", "created_at", "settled_at"]
    fields = readonly_fields
    empty_list = EmptyList(_("There are no conflicts between the PMS and the hotel's rooms."))

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

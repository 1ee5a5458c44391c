"""The admin pages for allocations: holds, stays and closures, with the guest of each stay."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList, HotelChangeList, ViewFilter
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from locks.board.guest_names import Guest, guests_of
from locks.board.next_steps import OPEN_BOARD, SHOW_ALL_ALLOCATIONS
from locks.holder_names import holder_name, with_holder_names
from locks.models import OCCUPYING, Allocation, AllocationStatus
from locks.selectors import allocations, today
from tenants.signals import personal_data_read

_COLOURS = {
    AllocationStatus.HELD: "warning",
    AllocationStatus.CONFIRMED: "info",
    AllocationStatus.CLOSED: "danger",
    AllocationStatus.RELEASED: "default",
    AllocationStatus.EXPIRED: "default",
    AllocationStatus.CANCELLED: "default",
    "in_house": "success",
}
_STATES = {
    AllocationStatus.CONFIRMED: gettext_lazy("Stay"),
    AllocationStatus.CLOSED: gettext_lazy("Out of service"),
    AllocationStatus.RELEASED: gettext_lazy("Hold released"),
    AllocationStatus.EXPIRED: gettext_lazy("Hold expired"),
    AllocationStatus.CANCELLED: gettext_lazy("Cancelled"),
}


class PeriodView(ViewFilter):
    """The views of the list of allocations. The first view shows the allocations of today and of coming nights."""

    title = gettext_lazy("period")
    views = (
        ("coming", gettext_lazy("Today and coming days")),
        ("all", gettext_lazy("All holds and stays")),
    )

    def rows_of_view(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "coming":
            return queryset.filter(current_status__in=OCCUPYING, nights__endswith__gte=today())
        return queryset


class AllocationList(HotelChangeList):
    """The change list of allocations. One call reads the guests of all allocations on a page of the list."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        _add_guests(request, self.result_list)


@admin.register(Allocation, site=hotel_site)
class AllocationAdmin(ReadOnlyModelAdmin):
    """The admin list of allocations. Staff change allocations on the room board or on the page of the reservation."""

    icon = "hotel"
    menu_group = Group.FRONT_DESK
    menu_order = 40
    list_display = ["guest", "room", "check_in", "check_out", "state", "source"]
    list_display_links = ["room"]
    list_filter = [PeriodView, ("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["reference", "room__number", "holder"]
    readonly_fields = [
        "guest", "room", "check_in", "check_out", "current_state", "source", "reference", "reason", "created_at",
        "client", "session", "expires_at", "extensions_left", "fencing_token", "id", "group_id",
    ]  # fmt: skip
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("guest", "room"),
                    ("check_in", "check_out"),
                    ("current_state", "source"),
                    ("reference", "reason"),
                    "created_at",
                ]
            },
        ),
        (
            gettext_lazy("Technical details"),
            {
                "classes": ["collapse"],
                "fields": [
                    ("client", "session"),
                    ("expires_at", "extensions_left"),
                    ("fencing_token", "group_id"),
                    "id",
                ],
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Allocation]:
        return with_holder_names(allocations())

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return ["nights", "room_id"]

    def get_empty_list(self, change_list: HotelChangeList) -> EmptyList:
        if Allocation.objects.exists():
            text = gettext_lazy("There are no holds or stays in this view.")
            return EmptyList(text, (SHOW_ALL_ALLOCATIONS, OPEN_BOARD))
        text = gettext_lazy(
            "There are no holds, stays or closed rooms yet. Hold or close a room on the room board."
        )
        return EmptyList(text, (OPEN_BOARD,))

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> Any:
        return AllocationList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        allocation = super().get_object(request, object_id, from_field)
        if allocation is not None:
            _add_guests(request, [allocation])
        return allocation

    def _report_read(self, request: HttpRequest, ids: list[str]) -> None:
        shown: list[str] = request.stays_with_guests  # type: ignore[attr-defined]
        personal_data_read.send(None, request=request, kind="stay", ids=shown)

    @display(description=gettext_lazy("guest"), empty_value="-")
    def guest(self, allocation: Any) -> str | None:
        guest: Guest | None = allocation.shown_guest
        if guest is None:
            return allocation.reference or None
        return format_html('<a class="underline" href="{}">{}</a>', guest.url, guest.name)

    @display(description=gettext_lazy("check-in"), ordering="nights")
    def check_in(self, allocation: Allocation) -> str:
        return date_format(allocation.check_in)

    @display(description=gettext_lazy("check-out"))
    def check_out(self, allocation: Allocation) -> str:
        return date_format(allocation.check_out)

    @display(description=gettext_lazy("status"), label=_COLOURS, ordering="status")
    def state(self, allocation: Any) -> tuple[str, str]:
        guest: Guest | None = allocation.shown_guest
        is_in_house = guest is not None and guest.is_in_house
        code = "in_house" if is_in_house and _is_stay(allocation) else allocation.current_status
        return code, self.current_state(allocation)

    @display(description=gettext_lazy("status"))
    def current_state(self, allocation: Any) -> str:
        """Return the state in the words of the front desk, such as "in house" or "Held for 12 more minutes"."""
        if allocation.current_status == AllocationStatus.HELD:
            minutes = -(-allocation.seconds_left // 60)
            text = ngettext("Held for %(minutes)d more minute", "Held for %(minutes)d more minutes", minutes)
            return text % {"minutes": minutes}
        if _is_stay(allocation) and allocation.shown_guest is not None:
            status: str = allocation.shown_guest.status
            return status[:1].upper() + status[1:]
        return str(_STATES[AllocationStatus(allocation.current_status)])

    @display(description=gettext_lazy("source"))
    def source(self, allocation: Any) -> str:
        """Return the source of the booking, such as a channel, or the client that holds the room."""
        guest: Guest | None = allocation.shown_guest
        return guest.source if guest is not None and guest.source else holder_name(allocation)

    @display(description=gettext_lazy("client"), ordering="holder")
    def client(self, allocation: Allocation) -> str:
        return holder_name(allocation)


def _is_stay(allocation: Any) -> bool:
    return bool(allocation.current_status == AllocationStatus.CONFIRMED)


def _add_guests(request: HttpRequest, shown: Sequence[Any]) -> None:
    """Add the guest of each shown allocation, or None if the user may not view reservations.

    Store the ids of the allocations with a guest in the request, for the audit event of `_report_read`.
    """
    may_view = "reservations:read" in getattr(request.user, "scopes", ())
    guests = guests_of([row.pk for row in shown]) if may_view and shown else {}
    for row in shown:
        row.shown_guest = guests.get(row.pk)
    request.stays_with_guests = [str(id_) for id_ in guests]  # type: ignore[attr-defined]

"""The channels' calendars of a hotel's rooms: where they are, and how reading them goes."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from hotelagent.admin.base import ChangesAuditedByServices, HotelModelAdmin
from hotelagent.admin.sites import hotel_site
from reminders.reservations.calendars import services as calendar_services
from reminders.reservations.calendars.fetching import normalize_url
from reminders.reservations.calendars.models import CalendarAddress
from tenants.errors import DomainError


class CalendarAddressForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("As the channel gives it for this room: https:// or webcal://. It is not shown again."),
    )

    class Meta:
        model = CalendarAddress
        fields = ("room", "name", "closes_room")

    def clean_url(self) -> str:
        try:
            return normalize_url(self.cleaned_data["url"])
        except DomainError as refused:
            raise forms.ValidationError(refused.detail) from None


@admin.register(CalendarAddress, site=hotel_site)
class CalendarAddressAdmin(ChangesAuditedByServices, HotelModelAdmin):
    """Added and removed, never changed: a new address is another calendar."""

    icon = "calendar_add_on"
    menu_order = 35
    list_display = ["room", "name", "host", "state", "polled_at", "result"]
    list_select_related = ["room"]
    search_fields = ["room__number", "name", "host"]
    ordering = ["room__number", "name"]
    actions = ["read_now"]
    shown = [
        "room",
        "name",
        "host",
        "closes_room",
        "polled_at",
        "failures",
        "why",
        "read_at",
        "contents",
        "missed",
    ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(
            request, obj, change, **(kwargs if obj else {**kwargs, "form": CalendarAddressForm})
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["room", "name", "url", "closes_room"] if obj is None else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else self.shown

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The list's action needs it; an address's own page only shows."""
        return obj is None and super().has_change_permission(request)

    @display(description=_("state"), label={"new": "info", "read": "success", "failing": "danger"})
    def state(self, address: CalendarAddress) -> tuple[str, str]:
        if address.failures:
            return "failing", _now("failing")
        return ("read", _now("read")) if address.read_at else ("new", _now("not asked yet"))

    @display(description=_("last result"))
    def result(self, address: CalendarAddress) -> str:
        return address.why if address.failures else self.contents(address)

    @display(description=_("last error"))
    def why(self, address: CalendarAddress) -> str:
        return address.why or "-"

    @display(description=_("in the calendar"))
    def contents(self, address: CalendarAddress) -> str:
        if not (report := address.report):
            return "-"
        return _now("%(events)s in all: %(stored)s new, %(changed)s changed, %(cancelled)s cancelled, "
                    "%(refused)s refused, %(without_room)s without their room, %(vanished)s gone, "
                    "%(closed)s nights closed") % {
            **report, "refused": len(report["refused"]), "without_room": len(report["without_room"])
        }  # fmt: skip

    @display(description=_("not brought in"))
    def missed(self, address: CalendarAddress) -> str:
        report = address.found or {}
        found = [*report.get("refused", ()), *report.get("without_room", ())]
        return "; ".join(f"{event['uid']}: {event['detail']}" for event in found) or "-"

    @admin.action(description=_("Read now"), permissions=["change"])
    def read_now(self, request: HttpRequest, queryset: QuerySet[CalendarAddress]) -> None:
        for address in queryset:
            calendar_services.read_soon(address.id)
        number = len(queryset)
        text = ngettext("%d calendar will be read at once.", "%d calendars will be read at once.", number)
        self.message_user(request, text % number, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: CalendarAddress, form: Any, change: bool) -> None:
        if not change:
            made = calendar_services.add_calendar(
                room=obj.room_id, name=obj.name, url=form.cleaned_data["url"], closes_room=obj.closes_room
            )
            obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: CalendarAddress) -> None:
        calendar_services.remove_calendar(obj.id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CalendarAddress]) -> None:
        for address in queryset:
            calendar_services.remove_calendar(address.id)

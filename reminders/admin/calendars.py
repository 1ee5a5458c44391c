"""Admin pages for linked calendars."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.dateparse import parse_date
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from hotelagent.admin.base import ChangesAuditedByServices, HotelModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from reminders.models import LinkedCalendar
from reminders.reservations.calendars import services
from reminders.reservations.calendars.download import normalize_url
from tenants.errors import DomainError

#: The maximum number of date ranges that are shown for one event. A repeating event may have hundreds of ranges.
_MAX_SPANS = 6


class LinkCalendarForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.CharField(
        label=_("URL"),
        max_length=2000,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_(
            "The room's iCalendar URL from the channel (https or webcal). The URL is not displayed again."
        ),
    )

    class Meta:
        model = LinkedCalendar
        fields = ("room", "name", "import_closures")

    def clean_url(self) -> str:
        try:
            return normalize_url(self.cleaned_data["url"])
        except DomainError as error:
            raise forms.ValidationError(error.detail) from None


@admin.register(LinkedCalendar, site=hotel_site)
class LinkedCalendarAdmin(ChangesAuditedByServices, HotelModelAdmin):
    """The admin pages for linked calendars: iCalendar URLs that channels publish, each for one room.

    Staff can add and delete a linked calendar, but can't change its URL.
    """

    icon = "calendar_add_on"
    menu_group = Group.SETUP
    menu_order = 20
    list_display = ["room", "name", "host", "state", "last_attempt_at", "last_result"]
    list_select_related = ["room"]
    search_fields = ["room__number", "name", "host"]
    empty_list = EmptyList(
        _(
            "No calendar is linked yet. Copy the iCalendar URL of a room from Booking.com, Airbnb or another channel, "
            "and add the URL here. Bookings of the channel then appear automatically."
        )
    )
    ordering = ["room__number", "name"]
    actions = ["import_now"]
    fields_on_change_page = [
        "room",
        "name",
        "host",
        "import_closures",
        "last_attempt_at",
        "consecutive_failures",
        "last_error_message",
        "last_success_at",
        "last_import",
        "affected_nights",
    ]
    stylesheets = ("reminders/reminders.css",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(
            request, obj, change, **(kwargs if obj else {**kwargs, "form": LinkCalendarForm})
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["room", "name", "url", "import_closures"] if obj is None else self.fields_on_change_page

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else self.fields_on_change_page

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False on the page of a single calendar, because calendars are read-only.

        The permission is kept on the list page, because the action "Import now" requires the permission.
        """
        return obj is None and super().has_change_permission(request)

    @display(
        description=_("status"),
        label={"new": "info", "imported": "success", "attention": "warning", "failing": "danger"},
    )
    def state(self, calendar: LinkedCalendar) -> tuple[str, str]:
        if calendar.consecutive_failures:
            return "failing", gettext("failing")
        if calendar.number_of_problems:
            return "attention", gettext("needs attention")
        if calendar.last_success_at:
            return "imported", gettext("imported")
        return "new", gettext("not imported yet")

    @display(description=_("last result"))
    def last_result(self, calendar: LinkedCalendar) -> str:
        return calendar.error_message if calendar.consecutive_failures else self.last_import(calendar)

    @display(description=_("last error"))
    def last_error_message(self, calendar: LinkedCalendar) -> str:
        return calendar.error_message or "-"

    @display(description=_("last result"))
    def last_import(self, calendar: LinkedCalendar) -> str:
        if not (report := calendar.last_report):
            return "-"
        return gettext(
            "Events: %(events)s (%(created)s created, %(updated)s updated, %(cancelled)s cancelled, %(rejected)s "
            "rejected, %(without_room)s without a room, %(removed)s removed). Closed nights: %(closed_nights)s."
        ) % {**report, "rejected": len(report["rejected"]), "without_room": len(report["without_room"])}

    @display(description=_("nights to check"))
    def affected_nights(self, calendar: LinkedCalendar) -> SafeString | str:
        report = calendar.report or {}
        kinds = {
            "rejected": gettext("The event was not imported. Its nights are closed."),
            "without_room": gettext(
                "The booking was imported without a room, because the room is not free on all nights. "
                "The free nights are closed."
            ),
            "warnings": gettext("Imported"),
        }
        problems = [
            {"result": result, **event} for name, result in kinds.items() for event in report.get(name, ())
        ]
        if not problems:
            return "-"
        return render_to_string(
            "reminders/calendar_problems.html", {"problems": [_dates_parsed(problem) for problem in problems]}
        )

    @admin.action(description=_("Import now"), permissions=["change"])
    def import_now(self, request: HttpRequest, queryset: QuerySet[LinkedCalendar]) -> None:
        for calendar in queryset:
            services.request_sync(calendar.id)
        count = len(queryset)
        text = ngettext(
            "%d calendar will be imported shortly.", "%d calendars will be imported shortly.", count
        )
        self.message_user(request, text % count, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: LinkedCalendar, form: Any, change: bool) -> None:
        if not change:
            calendar = services.link_calendar(
                room=obj.room_id,
                name=obj.name,
                url=form.cleaned_data["url"],
                import_closures=obj.import_closures,
            )
            obj.pk = calendar.pk

    def delete_model(self, request: HttpRequest, obj: LinkedCalendar) -> None:
        services.unlink_calendar(obj.id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LinkedCalendar]) -> None:
        for calendar in queryset:
            services.unlink_calendar(calendar.id)


def _dates_parsed(problem: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the import problem with date objects, which the page formats in the user's language.

    At most `_MAX_SPANS` date ranges are returned. The key `more_nights` contains the number of omitted date ranges.
    """
    nights = [{name: parse_date(text) for name, text in span.items()} for span in problem["nights"]]
    return problem | {"nights": nights[:_MAX_SPANS], "more_nights": max(0, len(nights) - _MAX_SPANS)}

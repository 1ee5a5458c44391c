"""Admin pages for reminders."""

import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, F, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.filters import PeriodFilter
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from reminders.admin.next_steps import IMPORT_RESERVATIONS, SHOW_RULES
from reminders.cards import daily_chart
from reminders.models import Reminder, ReminderStatus
from reminders.services.reminders import cancel_reminder, send_now, settle_unknown
from tenants.errors import DomainError

COLOURS = {
    ReminderStatus.SCHEDULED: "info",
    ReminderStatus.SENDING: "info",
    ReminderStatus.SENT: "success",
    ReminderStatus.UNKNOWN: "warning",
    ReminderStatus.SKIPPED: "default",
    ReminderStatus.CANCELLED: "default",
    ReminderStatus.FAILED: "danger",
}
_NEEDS_ATTENTION = (ReminderStatus.UNKNOWN, ReminderStatus.FAILED)
_PENDING = (ReminderStatus.SENDING, ReminderStatus.SCHEDULED)

_SEND_NOW = ("send_now", _("Send now"))
#: The buttons on a reminder's page, by reminder status. A button consists of the name of an admin action and a label.
_BUTTONS = {
    ReminderStatus.SCHEDULED: (_SEND_NOW, ("cancel", _("Cancel reminder"))),
    ReminderStatus.SKIPPED: (_SEND_NOW,),
    ReminderStatus.CANCELLED: (_SEND_NOW,),
    ReminderStatus.FAILED: (("send_now", _("Send again")),),
    ReminderStatus.UNKNOWN: (("was_sent", _("Mark as sent")), ("was_not_sent", _("Mark as not sent"))),
}
_MAX_NUMBERS = 5


def _join_numbers(numbers: list[str]) -> str:
    more = len(numbers) - _MAX_NUMBERS
    return ", ".join(numbers[:_MAX_NUMBERS]) + (f" (+{more})" if more > 0 else "")


def _call(service: Callable[..., object], reminder_id: uuid.UUID) -> str:
    """Call a service function for the reminder. Return the error message, or an empty string after success."""
    try:
        service(reminder_id=reminder_id)
    except DomainError as error:
        return str(error.detail)
    return ""


@admin.register(Reminder, site=hotel_site)
class ReminderAdmin(ReadOnlyModelAdmin):
    icon = "mail"
    menu_group = Group.EMAILS
    menu_order = 0
    stylesheets = ("reminders/reminders.css",)
    list_display = ["planned", "state", "rule", "guest", "sent", "reason"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("skip_reason", ChoicesDropdownFilter),
        ("rule", RelatedDropdownFilter),
        ("planned_for", PeriodFilter),
    ]
    list_filter_submit = True
    empty_list = EmptyList(
        _(
            "There are no reminders yet. Reminders are planned when a reservation with an e-mail address is imported "
            "or added. The rules say when they are sent."
        ),
        (IMPORT_RESERVATIONS, SHOW_RULES),
    )
    list_select_related = ["reservation", "rule"]
    list_before_template = "reminders/chart.html"
    search_fields = ["reservation__external_id", "reservation__guest_name", "recipient"]
    actions = ["send_now", "cancel", "was_sent", "was_not_sent"]
    change_form_outer_before_template = "reminders/reminder_actions.html"
    fields = ["guest", "rule", "arrival", "status", "skip_reason", "planned_for", "send_until", "sent_at", "opened_at",
              "recipient", "attempts", "transmission_started_at", "error"]  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Order the reminders by urgency.

        Reminders that need attention come first. Pending reminders come next, beginning with the earliest planned time.
        All other reminders come last, beginning with the latest planned time.
        """
        group = Case(When(status__in=_NEEDS_ATTENTION, then=0), When(status__in=_PENDING, then=1), default=2)
        earliest = Case(When(status__in=_PENDING, then=F("planned_for")))
        return [group, earliest, "-planned_for", "-id"]

    @display(description=_("planned for"), ordering="planned_for")
    def planned(self, reminder: Reminder) -> datetime:
        return reminder.planned_for

    @display(description=_("sent"), ordering="sent_at", empty_value="")
    def sent(self, reminder: Reminder) -> datetime | None:
        return reminder.sent_at

    @display(description=_("status"), label=COLOURS, ordering="status")
    def state(self, reminder: Reminder) -> tuple[str, str]:
        return reminder.status, reminder.get_status_display()

    @display(description=_("reservation"), ordering="reservation__external_id")
    def guest(self, reminder: Reminder) -> SafeString:
        url = reverse(f"{self.admin_site.name}:reminders_reservation_change", args=[reminder.reservation_id])
        return format_html('<a class="underline" href="{}">{}</a>', url, reminder.reservation)

    @display(description=_("last error"), empty_value="-")
    def error(self, reminder: Reminder) -> str:
        return reminder.error_message

    @display(description=_("reason"), empty_value="")
    def reason(self, reminder: Reminder) -> str:
        return reminder.get_skip_reason_display() or reminder.error_message[:120]

    @admin.action(description=_("Send now"), permissions=["act"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._apply(request, queryset, send_now)

    @admin.action(description=_("Cancel reminder"), permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._apply(request, queryset, cancel_reminder)

    @admin.action(description=_("Mark reminders with an unknown outcome as sent"), permissions=["act"])
    def was_sent(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._apply(request, queryset, partial(settle_unknown, was_sent=True))

    @admin.action(description=_("Mark reminders with an unknown outcome as not sent"), permissions=["act"])
    def was_not_sent(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._apply(request, queryset, partial(settle_unknown, was_sent=False))

    def _apply(
        self, request: HttpRequest, queryset: QuerySet[Reminder], service: Callable[..., object]
    ) -> HttpResponse | None:
        """Call the service for each selected reminder. Show one message for each distinct error."""
        if not self.check_selection_size(request, queryset):
            return None
        numbers_by_error: dict[str, list[str]] = defaultdict(list)
        selected = list(queryset.values_list("id", "reservation__external_id"))
        for reminder_id, number in selected:
            if error := _call(service, reminder_id):
                numbers_by_error[error].append(number)
        for error, numbers in numbers_by_error.items():
            self.message_user(request, f"{_join_numbers(numbers)}: {error}", messages.ERROR)
        if done := len(selected) - sum(map(len, numbers_by_error.values())):
            text = ngettext("%d reminder updated.", "%d reminders updated.", done)
            self.message_user(request, text % done, messages.SUCCESS)
        if "_from_change_page" not in request.POST or not selected:
            return None
        return HttpResponseRedirect(reverse("admin:reminders_reminder_change", args=[selected[0][0]]))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        buttons = _BUTTONS.get(context["original"].status, ()) if self.has_act_permission(request) else ()
        page: HttpResponse = super().render_change_form(
            request, {**context, "buttons": buttons}, *args, **kwargs
        )
        return page

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page: HttpResponse = super().changelist_view(
            request, {"panel": daily_chart(), **(extra_context or {})}
        )
        return page

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("reminders.change_reminder"))

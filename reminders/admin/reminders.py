"""Reminders: what goes when, what went, what did not and why."""

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
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from hotelagent.admin import dashboard
from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.dashboard import Card
from hotelagent.admin.sites import hotel_site
from reminders import selectors
from reminders.cards import chart
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
TROUBLE = (ReminderStatus.UNKNOWN, ReminderStatus.FAILED)
TO_GO = (ReminderStatus.SENDING, ReminderStatus.SCHEDULED)

_SEND_NOW = ("send_now", _("Send now"))
#: What its page offers, by its status: the action and its words.
_ACTS = {
    ReminderStatus.SCHEDULED: (_SEND_NOW, ("cancel", _("Cancel the reminder"))),
    ReminderStatus.SKIPPED: (_SEND_NOW,),
    ReminderStatus.CANCELLED: (_SEND_NOW,),
    ReminderStatus.FAILED: (("send_now", _("Send again")),),
    ReminderStatus.UNKNOWN: (("was_sent", _("It was sent")), ("was_not_sent", _("It was not sent"))),
}
_NUMBERS_SHOWN = 5


def _shortened(numbers: list[str]) -> str:
    more = len(numbers) - _NUMBERS_SHOWN
    return ", ".join(numbers[:_NUMBERS_SHOWN]) + (f" (+{more})" if more > 0 else "")


@admin.register(Reminder, site=hotel_site)
class ReminderAdmin(ReadOnlyModelAdmin):
    icon = "mail"
    menu_order = 10
    stylesheets = ("reminders/reminders.css",)
    list_display = ["planned", "state", "rule", "guest", "sent", "why"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("skip_reason", ChoicesDropdownFilter),
        ("rule", RelatedDropdownFilter),
        ("planned_for", RangeDateTimeFilter),
    ]
    list_filter_submit = True
    list_select_related = ["reservation", "rule"]
    list_before_template = "reminders/chart.html"
    search_fields = ["reservation__external_id", "reservation__guest_name", "recipient"]
    actions = ["send_now", "cancel", "was_sent", "was_not_sent"]
    change_form_outer_before_template = "reminders/reminder_acts.html"
    fields = ["guest", "rule", "arrival", "status", "skip_reason", "planned_for", "send_until", "sent_at", "opened_at",
              "recipient", "attempts", "transmission_started_at", "error"]  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """What waits for somebody, then what is to go, soonest first; then what is done with, latest first."""
        trouble = Case(When(status__in=TROUBLE, then=0), When(status__in=TO_GO, then=1), default=2)
        soonest = Case(When(status__in=TO_GO, then=F("planned_for")))
        return [trouble, soonest, "-planned_for", "-id"]

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

    @display(description=_("why"), empty_value="")
    def why(self, reminder: Reminder) -> str:
        return reminder.get_skip_reason_display() or reminder.error_message[:120]

    @admin.action(description=_("Send now"), permissions=["act"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._each(request, queryset, send_now)

    @admin.action(description=_("Cancel the reminder"), permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._each(request, queryset, cancel_reminder)

    @admin.action(description=_("Unknown: it was sent"), permissions=["act"])
    def was_sent(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._each(request, queryset, partial(settle_unknown, was_sent=True))

    @admin.action(description=_("Unknown: it was not sent"), permissions=["act"])
    def was_not_sent(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> HttpResponse | None:
        return self._each(request, queryset, partial(settle_unknown, was_sent=False))

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Reminder], act: Callable[..., object]
    ) -> HttpResponse | None:
        """Each on its own: what can't be done to one doesn't hold up the others. One message a reason."""
        if not self.check_selection_size(request, queryset):
            return None
        refused: dict[str, list[str]] = defaultdict(list)
        chosen = list(queryset.values_list("id", "reservation__external_id"))
        for reminder_id, number in chosen:
            if why := self._refused(reminder_id, act):
                refused[why].append(number)
        for why, numbers in refused.items():
            self.message_user(request, f"{_shortened(numbers)}: {why}", messages.ERROR)
        if done := len(chosen) - sum(map(len, refused.values())):
            self.message_user(request, ngettext("%d done.", "%d done.", done) % done, messages.SUCCESS)
        if "_here" not in request.POST or not chosen:
            return None
        return HttpResponseRedirect(reverse("admin:reminders_reminder_change", args=[chosen[0][0]]))

    def _refused(self, reminder_id: uuid.UUID, act: Callable[..., object]) -> str:
        try:
            act(reminder_id=reminder_id)
        except DomainError as error:
            return str(error.detail)
        return ""

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        acts = _ACTS.get(context["original"].status, ()) if self.has_act_permission(request) else ()
        page: HttpResponse = super().render_change_form(request, {**context, "acts": acts}, *args, **kwargs)
        return page

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page: HttpResponse = super().changelist_view(request, {"shown": chart(), **(extra_context or {})})
        return page

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("reminders.change_reminder"))


@dashboard.register_card(scope="reminders:read", order=30)
def reminders_today(_request: HttpRequest) -> Card:
    standing = selectors.standing()
    trouble = standing.unknown + standing.late
    return Card(
        title=_("Reminders to go today"),
        value=standing.due_today,
        note=_("%(sent)d sent, %(late)d late, %(unknown)d unknown")
        % {"sent": standing.sent_today, "late": standing.late, "unknown": standing.unknown},
        url=reverse("admin:reminders_reminder_changelist"),
        icon="mail",
        tone="bad" if trouble else "plain",
    )

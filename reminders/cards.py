"""The cards and panels about reminders on the start page of the hotel's admin."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card, Panel
from locks.selectors import today
from reminders import selectors
from reminders.setup import cards as _setup_cards  # noqa: F401 - registers the checklist of the start page


@dashboard.register_card(scope="reminders:read", order=30)
def reminders_today(_request: HttpRequest) -> Card:
    summary = selectors.status_summary()
    return Card(
        title=_("Reminders to send today"),
        value=summary.due_today,
        note=_("%(sent)d sent, %(late)d late, %(unknown)d with an unknown outcome")
        % {"sent": summary.sent_today, "late": summary.late, "unknown": summary.unknown},
        url=reverse("admin:reminders_reminder_changelist"),
        icon="mail",
        tone="bad" if summary.unknown or summary.late else "plain",
    )


@dashboard.register_panel(scope="reminders:read", order=0)
def reminders_by_day(_request: HttpRequest) -> Panel:
    return Panel("reminders/chart.html", daily_chart(), stylesheet="reminders/reminders.css")


def daily_chart() -> dict[str, Any]:
    """Return the context of the template `chart.html`: one bar for each day, and today's date.

    The height of a bar is the day's number of reminders as a percentage of the highest daily number.
    """
    days = selectors.daily_counts()
    most = max((day.planned for day in days), default=0) or 1
    bars = [
        {
            "counts": day,
            "planned": 100 * day.planned // most,
            "sent": 100 * day.sent // most,
            "failed_or_unknown": 100 * day.failed_or_unknown // most,
        }
        for day in days
    ]
    return {"bars": bars, "today": today()}

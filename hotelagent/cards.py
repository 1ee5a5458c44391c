"""The cards and panels of the start page of the platform's admin. Each card links to the list of what it counts."""

import sys
from typing import Any

import django
import redis
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card, Panel
from hotelagent.overview import figures, heartbeats

STYLESHEET = "hotelagent/overview.css"
#: Number of hotels in each list of the start page.
TOP = 10
#: Number of seconds after which waiting due items are shown as a problem.
LATE_SECONDS = 300
#: If at least this share of a sender's e-mails bounces, mail providers begin to refuse the sender's e-mails.
_HIGH_BOUNCE_RATE = 0.05


@dashboard.register_card(scope="hotels:read", order=5)
def hotels_behind(_request: HttpRequest) -> Card:
    number = figures.count_behind()
    return Card(
        title=_("Hotels without the newest migrations"),
        value=number,
        note=_("Run manage.py migrate.") if number else _("All hotels are up to date."),
        url=reverse("admin:tenants_hotel_changelist") + "?migrations=behind",
        icon="database",
        tone="bad" if number else "good",
    )


@dashboard.register_card(scope="hotels:read", order=10)
def due_queue(_request: HttpRequest) -> Card:
    queue = figures.read_due_queue()
    return Card(
        title=_("Due items waiting"),
        value=number_format(queue.items, force_grouping=True),
        note=_("The oldest item has waited for %(time)s.") % {"time": duration(queue.oldest_seconds)}
        if queue.items
        else _("No item is waiting."),
        url=_list_url("wait"),
        icon="pending_actions",
        tone="bad" if queue.oldest_seconds > LATE_SECONDS else "good",
    )


@dashboard.register_card(scope="hotels:read", order=15)
def workers(_request: HttpRequest) -> Card:
    try:
        names = heartbeats.read_workers()
        note = ", ".join(names)
    except redis.RedisError:
        names, note = [], _("Redis is not available.")
    return Card(
        title=_("Workers alive"),
        value=len(names),
        note=note or _("No worker has sent a heartbeat in the last minute."),
        url=reverse("worker_list"),
        icon="memory",
        tone="good" if names else "bad",
    )


@dashboard.register_card(scope="hotels:read", order=16)
def celery_beat(_request: HttpRequest) -> Card:
    state = figures.read_beat()
    return Card(
        title=_("Celery beat"),
        value=_("alive") if state and state.is_alive else _("stopped"),
        note=_("Last tick %(time)s ago, %(holder)s")
        % {"time": duration(state.seconds), "holder": state.holder}
        if state
        else _("Celery beat has never run."),
        url=reverse("admin:django_celery_beat_periodictask_changelist"),
        icon="schedule",
        tone="good" if state and state.is_alive else "bad",
    )


@dashboard.register_card(scope="hotels:read", order=45)
def failures_of_hotels(_request: HttpRequest) -> Card:
    counts = figures.count_failures()
    return Card(
        title=_("Failures of hotels"),
        value=number_format(counts.open, force_grouping=True),
        note=_("Need attention: %(count)s") % {"count": number_format(counts.waiting, force_grouping=True)},
        url=_list_url("failures"),
        icon="error",
        tone="bad" if counts.waiting else "good",
    )


@dashboard.register_card(scope="hotels:read", order=50)
def mails(_request: HttpRequest) -> Card:
    sums = figures.sum_mails()
    rate = sums["bounced"] / sums["sent"] if sums["sent"] else 0.0
    return Card(
        title=_("E-mails in 7 days"),
        value=number_format(sums["sent"], force_grouping=True),
        note=_("%(rate)s %% bounced") % {"rate": number_format(100 * rate, decimal_pos=1)},
        url=_list_url("mails"),
        icon="mail",
        tone="bad" if rate >= _HIGH_BOUNCE_RATE else "plain",
    )


@dashboard.register_panel(scope="hotels:read", order=0)
def growth(_request: HttpRequest) -> Panel:
    months = figures.count_by_month()
    highest = max(month.total for month in months) or 1
    bars = [
        {
            "month": month,
            "label": date_format(month.first_day, "M"),
            "height": round(100 * month.total / highest),
        }
        for month in months
    ]
    return Panel("hotelagent/overview/growth.html", {"bars": bars}, stylesheet=STYLESHEET)


@dashboard.register_panel(scope="hotels:read", order=5)
def hotels_with_problems(_request: HttpRequest) -> Panel:
    failing = [row for row in figures.list_hotels("failures", limit=TOP) if row.open_failures]
    slowest = [row for row in figures.list_hotels("wait", limit=TOP) if row.waiting_items]
    context = {
        "failing": failing,
        "slowest": [(row, duration(row.oldest_seconds)) for row in slowest],
        "failures_url": _list_url("failures"),
        "wait_url": _list_url("wait"),
    }
    return Panel("hotelagent/overview/hotels.html", context, stylesheet=STYLESHEET)


@dashboard.register_panel(scope="hotels:read", order=90)
def versions(_request: HttpRequest) -> Panel:
    try:
        redis_version = heartbeats.read_redis_version()
    except redis.RedisError:
        redis_version = _("Redis is not available.")
    code = settings.VERSION + (f" ({settings.CODE_VERSION})" if settings.CODE_VERSION else "")
    rows = [
        ("hotelagent", code),
        ("Django", django.get_version()),
        ("Python", sys.version.partition(" ")[0]),
        ("PostgreSQL", figures.read_postgres_version()),
        ("Redis", redis_version),
    ]
    return Panel("hotelagent/overview/versions.html", {"rows": rows}, stylesheet=STYLESHEET)


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that is not zero: seconds, minutes, hours or days."""
    units: list[tuple[float, Any]] = [
        (86_400, lambda n: ngettext("%(count)d day", "%(count)d days", n)),
        (3_600, lambda n: ngettext("%(count)d hour", "%(count)d hours", n)),
        (60, lambda n: ngettext("%(count)d minute", "%(count)d minutes", n)),
    ]
    for size, text in units:
        if seconds >= size:
            number = int(seconds // size)
            return str(text(number) % {"count": number})
    number = int(seconds)
    return ngettext("%(count)d second", "%(count)d seconds", number) % {"count": number}


def _list_url(order: figures.Order) -> str:
    return f"{reverse('hotel_figures')}?order={order}"

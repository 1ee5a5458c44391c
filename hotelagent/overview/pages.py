"""The pages that the cards of the start page of the platform's admin link to: hotels with figures, and workers."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from hotelagent.admin.sites import platform_site
from hotelagent.admin.views import require_scopes
from hotelagent.cards import STYLESHEET, duration
from hotelagent.overview import figures, workers
from tenants.models import Hotel

#: Maximum number of hotels on the page.
LIMIT = 100
ORDERS: dict[str, Any] = {
    "failures": _("Open failures"),
    "wait": _("Longest wait"),
    "mails": _("E-mails in 7 days"),
    "bounces": _("Bounces in 7 days"),
}


def hotel_figures(request: HttpRequest) -> HttpResponse:
    """Show the hotels with the largest values of the number that the query parameter `order` names."""
    require_scopes(request, "hotels:read")
    order = request.GET.get("order", "")
    if order not in ORDERS:
        order = "failures"
    rows = figures.list_hotels(cast("figures.Order", order), limit=LIMIT)
    context = {
        **platform_site.each_context(request),
        "title": _("Statistics of hotels"),
        "rows": [(row, duration(row.oldest_seconds) if row.waiting_items else "") for row in rows],
        "orders": ORDERS.items(),
        "order": order,
        "is_complete": len(rows) < LIMIT,
        "total": Hotel.objects.count(),
        "stylesheet": STYLESHEET,
    }
    return TemplateResponse(request, "hotelagent/overview/list.html", context)


def worker_list(request: HttpRequest) -> HttpResponse:
    """Show the Celery workers with their queues and running tasks, and the messages in each queue."""
    require_scopes(request, "hotels:read")
    try:
        state = workers.read_state()
    except workers.BROKER_ERRORS:
        state = None
    context = {
        **platform_site.each_context(request),
        "title": _("Workers and queues"),
        "state": state,
        "due": figures.read_due_queue(),
        "stylesheet": STYLESHEET,
    }
    return TemplateResponse(request, "hotelagent/overview/workers.html", context)

"""The dashboard card that counts failures, on the start page of both admin sites."""

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from dlq.models import DECISION_STATUSES, OPEN_STATUSES, Failure
from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card
from tenants.context import current_tenant


@dashboard.register_card(scope="dlq:read", order=40)
def open_failures(_request: HttpRequest) -> Card:
    """Count the failures of the hotel, or those of the platform itself without those of its hotels."""
    counts = dict(
        Failure.objects.filter(status__in=OPEN_STATUSES).values_list("status").annotate(number=Count("id"))
    )
    waiting = [counts.pop(status, 0) for status in DECISION_STATUSES]
    permanent = sum(waiting)
    return Card(
        title=_("Failures of the platform")
        if current_tenant().is_platform
        else _("Failures that need attention"),
        value=permanent,
        note=_("Retried automatically: %(count)d") % {"count": sum(counts.values())},
        url=reverse("admin:dlq_failuregroup_changelist"),
        icon="error",
        tone="bad" if permanent else "good",
    )

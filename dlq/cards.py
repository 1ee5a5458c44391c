"""Figures for the first page of either admin."""

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from dlq.models import Failure, Status
from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card


@dashboard.register_card(scope="dlq:read", order=40)
def open_failures(_request: HttpRequest) -> Card:
    counts = dict(
        Failure.objects.filter(status__in=[Status.SCHEDULED, Status.RETRYING, Status.PERMANENT])
        .values_list("status")
        .annotate(number=Count("id"))
    )
    given_up = counts.pop(Status.PERMANENT, 0)
    return Card(
        title=_("Failures that wait for somebody"),
        value=given_up,
        note=_("%(count)d are tried again by themselves") % {"count": sum(counts.values())},
        url=reverse("admin:dlq_failure_changelist") + "?status__exact=permanent",
        icon="error",
        tone="bad" if given_up else "good",
    )

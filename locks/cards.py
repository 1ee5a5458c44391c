"""Figures for the first page of the hotel's admin."""

from django.db.models import Count
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Card
from locks.models import Allocation, AllocationStatus, Room
from locks.selectors import today


@dashboard.register_card(scope="locks:read", order=10)
def rooms_occupied(_request: HttpRequest) -> Card:
    tonight = dict(
        Allocation.objects.filter(
            nights__contains=today(), status__in=[AllocationStatus.CONFIRMED, AllocationStatus.CLOSED]
        )
        .values_list("status")
        .annotate(rooms=Count("room"))
    )
    closed = tonight.get(AllocationStatus.CLOSED, 0)
    note = _("of %(rooms)d") % {"rooms": Room.objects.count()}
    if closed:
        note += ", " + _("%(rooms)d closed") % {"rooms": closed}
    return Card(
        title=_("Rooms occupied tonight"),
        value=tonight.get(AllocationStatus.CONFIRMED, 0),
        note=note,
        url=reverse("admin:locks_board"),
        icon="bed",
    )


@dashboard.register_card(scope="locks:read", order=20)
def live_holds(_request: HttpRequest) -> Card:
    live = Allocation.objects.filter(status=AllocationStatus.HELD, expires_at__gt=Now())
    return Card(
        title=_("Live holds"),
        value=live.count(),
        note=_("rooms that guests are booking now"),
        url=reverse("admin:locks_allocation_changelist") + "?status__exact=held",
        icon="timer",
    )

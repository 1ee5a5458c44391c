"""The cards of this app on the start page of a hotel's admin."""

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
    rooms_by_status = dict(
        Allocation.objects.filter(
            nights__contains=today(), status__in=[AllocationStatus.CONFIRMED, AllocationStatus.CLOSED]
        )
        .values_list("status")
        .annotate(rooms=Count("room"))
    )
    closed = rooms_by_status.get(AllocationStatus.CLOSED, 0)
    total = Room.objects.count()
    if closed:
        note = _("%(total)d rooms in total, %(closed)d of them closed") % {"total": total, "closed": closed}
    else:
        note = _("%(total)d rooms in total") % {"total": total}
    return Card(
        title=_("Rooms occupied tonight"),
        value=rooms_by_status.get(AllocationStatus.CONFIRMED, 0),
        note=note,
        url=reverse("admin:locks_board"),
        icon="bed",
    )


@dashboard.register_card(scope="locks:read", order=20)
def active_holds(_request: HttpRequest) -> Card:
    active = Allocation.objects.filter(status=AllocationStatus.HELD, expires_at__gt=Now())
    return Card(
        title=_("Active holds"),
        value=active.count(),
        note=_("rooms on hold right now"),
        url=reverse("admin:locks_allocation_changelist") + "?status__exact=held",
        icon="timer",
    )

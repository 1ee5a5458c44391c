"""The sources of the admin's search for rooms, and for holds and stays by their id."""

import re
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Length
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from hotelagent.admin import search
from hotelagent.admin.search import Result, ResultGroup
from locks.models import Allocation, Room
from locks.selectors import allocations

#: Matches a complete id, or the first characters of an id, which logs and error messages show.
_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}", re.IGNORECASE)


@search.register_source(scope="rooms:read", order=20)
def rooms(_request: HttpRequest, text: str) -> ResultGroup:
    """Return the rooms whose number begins with the text. The query uses no index, because a hotel has few rooms."""
    found = Room.objects.filter(number__istartswith=text).order_by(Length("number"), "number")
    return ResultGroup.of(_("Rooms"), found, to_result=_room_result)


@search.register_source(scope="locks:read", order=30)
def holds(_request: HttpRequest, text: str) -> ResultGroup | None:
    """Return the holds, stays and closures whose id or group id begins with the text."""
    digits = text.replace("-", "")
    if not _ID.fullmatch(text) or len(digits) > 32:
        return None
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    matching = Q(id__range=(first, last)) | Q(group_id__range=(first, last))
    found = allocations().filter(matching).order_by("id")
    return ResultGroup.of(_("Holds and stays"), found, to_result=_allocation_result)


def _room_result(room: Room) -> Result:
    return Result(
        title=room.number,
        url=reverse("admin:locks_room_change", args=[room.pk]),
        detail=room.room_type,
        icon="bed",
    )


def _allocation_result(allocation: Allocation) -> Result:
    return Result(
        title=_("Room {number}").format(number=allocation.room.number),
        url=reverse("admin:locks_allocation_change", args=[allocation.pk]),
        detail=f"{date_format(allocation.check_in)} \N{EN DASH} {date_format(allocation.check_out)} · "
        f"{allocation.get_status_display()}",
        icon="timer",
    )

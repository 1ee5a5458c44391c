"""The sources of the admin's search for reservations: by guest, number, e-mail address, phone number or room."""

from datetime import timedelta

from django.db.models import Case, F, Func, IntegerField, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from hotelagent.admin import search
from hotelagent.admin.search import MAX_RESULTS, Result, ResultGroup
from locks.models import Allocation, AllocationStatus
from locks.selectors import today
from reminders import selectors
from reminders.models import Reservation
from reminders.models.search_terms import MatchesSearch, SearchTerms
from tenants.signals import personal_data_read

_ONE_DAY = timedelta(days=1)


@search.register_source(scope="reservations:read", order=0)
def reservations(request: HttpRequest, text: str) -> ResultGroup:
    """Return the reservations with this guest, number, e-mail address or phone number.

    Current and coming stays come before past stays, and the nearest arrival comes first.
    """
    day = today()
    terms = SearchTerms("guest_name", "external_id", "guest_email", "guest_phone")
    found = Reservation.objects.filter(MatchesSearch(terms, text))
    distance = Func(
        F("arrival"),
        Value(day),
        template="abs(%(expressions)s)",
        arg_joiner=" - ",
        output_field=IntegerField(),
    )
    is_past = Case(When(departure__lt=day, then=1), default=0)
    return _group(request, found.order_by(is_past, distance, "id"), title=_("Reservations"))


@search.register_source(scope="reservations:read", order=10)
def guests_in_room(request: HttpRequest, text: str) -> ResultGroup:
    """Return the reservations of the guests who are in the room with this number, or who left or arrive today."""
    day = today()
    stays = Allocation.objects.filter(
        nights__overlap=(day - _ONE_DAY, day + _ONE_DAY),
        status=AllocationStatus.CONFIRMED,
        room__number__iexact=text,
    ).values_list("id", "group_id")
    ids = {id_ for pair in stays for id_ in pair if id_ is not None}
    found = Reservation.objects.filter(Q(stay__in=ids) | Q(id__in=ids))
    return _group(
        request, found.order_by("arrival", "id"), title=_("Guests in room {number}").format(number=text)
    )


def _group(request: HttpRequest, found: QuerySet[Reservation], *, title: str) -> ResultGroup:
    found_ids = list(found.values_list("id", flat=True)[: MAX_RESULTS + 1])
    shown_ids = found_ids[:MAX_RESULTS]
    # Only the rooms of the reservations that the results show are read.
    by_id = selectors.reservations().in_bulk(shown_ids)
    shown = [by_id[id_] for id_ in shown_ids if id_ in by_id]
    ids = [str(reservation.id) for reservation in shown]
    personal_data_read.send(Reservation, request=request, kind="reservation", ids=ids)
    return ResultGroup(
        title, [_result(reservation) for reservation in shown], is_complete=len(found_ids) == len(shown_ids)
    )


def _result(reservation: Reservation) -> Result:
    rooms = reservation.room_numbers  # type: ignore[attr-defined]
    details = [
        reservation.external_id if reservation.guest_name else "",
        f"{date_format(reservation.arrival)} \N{EN DASH} {date_format(reservation.departure)}",
        ", ".join(rooms),
        str(reservation.get_status_display()),
    ]
    return Result(
        title=reservation.guest_name or reservation.external_id,
        url=reverse("admin:reminders_reservation_change", args=[reservation.pk]),
        detail=" · ".join(filter(None, details)),
        icon="event",
    )

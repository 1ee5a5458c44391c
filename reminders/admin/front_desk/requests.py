"""Functions that the front desk's pages share: the requested reservation, and the next page."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from hotelagent.admin.sites import hotel_site
from hotelagent.admin.views import is_own_url
from reminders.front_desk.locked import stays
from reminders.front_desk.numbers import PREFIX
from reminders.models import Reservation
from tenants.errors import DomainError
from tenants.signals import personal_data_read
from tenants.unaudited import unaudited


def read_reservation(pk: uuid.UUID) -> Reservation:
    """Return the reservation with this primary key. Raises Http404."""
    reservation = Reservation.objects.filter(pk=pk).first()
    if reservation is None:
        raise Http404
    return reservation


def next_url(request: HttpRequest, pk: uuid.UUID) -> str:
    """Return the page to which the user returns: the parameter `next`, or the page of the reservation.

    A URL of another host is ignored.
    """
    url = request.POST.get("next") or request.GET.get("next") or ""
    return url if is_own_url(request, url) else reverse("admin:reminders_reservation_change", args=[pk])


@unaudited("The services record the changes.")
def call_service(
    request: HttpRequest, operation: Callable[[], Reservation], *, done: Callable[[Reservation], str]
) -> bool:
    """Call a service, and show the message that `done` returns. If the service raises an error, show the error.

    Return whether the service succeeded.
    """
    try:
        reservation = operation()
    except DomainError as error:
        messages.error(request, error_text(error))
        return False
    messages.success(request, done(reservation))
    return True


def error_text(error: DomainError) -> str:
    """Return the message of an error. If a room is not available, the message also names free rooms."""
    alternatives: list[dict[str, Any]] = error.extra.get("alternatives") or []
    if not alternatives:
        return str(error.detail)
    rooms = ", ".join(room["number"] for room in alternatives)
    return _("{problem}. Free rooms: {rooms}.").format(problem=error.detail, rooms=rooms)


def report_read(request: HttpRequest, reservation: Reservation) -> None:
    """Record in the audit trail that the user has seen the reservation."""
    personal_data_read.send(Reservation, request=request, kind="reservation", ids=[str(reservation.pk)])


def redirect(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    return HttpResponseRedirect(next_url(request, pk))


def page(
    request: HttpRequest,
    template: str,
    reservation: Reservation,
    *,
    title: Any,
    **context: Any,
) -> HttpResponse:
    """Return a page about a reservation, with the guest, the dates and the rooms above the content.

    The audit trail records that the user has seen the reservation.
    """
    report_read(request, reservation)
    if "stays" not in context:
        context["stays"] = stays(reservation)
    return render(
        request,
        f"reminders/front_desk/{template}",
        {
            **hotel_site.each_context(request),
            "title": title,
            "reservation": reservation,
            "next": next_url(request, reservation.pk),
            "is_from_elsewhere": not reservation.external_id.startswith(PREFIX),
            **context,
        },
    )

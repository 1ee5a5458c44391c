"""The page "New reservation", on which staff choose dates and free rooms, and enter the guest."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from hotelagent.admin.language_fields import hotel_language_label, offer_languages
from hotelagent.admin.sites import hotel_site
from hotelagent.admin.views import require_scopes
from locks.nights import Nights
from locks.selectors import availability
from reminders.admin.front_desk.requests import error_text
from reminders.admin.front_desk.room_views import chosen_rooms
from reminders.admin.front_desk.status_views import guest_of
from reminders.admin.front_desk.widgets import RoomGroup, date_input, room_groups
from reminders.front_desk.new_reservations import book_at_front_desk
from reminders.local_time import NIGHT_ENDS_AT, first_open_night, today
from reminders.models import Reservation
from reminders.reservations.countries import country_code
from tenants.context import current_hotel
from tenants.errors import DomainError

_SOURCES = (
    gettext_lazy("Walk-in"),
    gettext_lazy("Phone"),
    gettext_lazy("E-mail"),
    gettext_lazy("Website"),
)


def sources() -> list[tuple[str, str]]:
    """Return the sources of reservations in the hotel's language, so that all clerks store the same words."""
    with override(current_hotel().language):
        return [(str(source), str(source)) for source in _SOURCES]


class NewReservationForm(forms.ModelForm):  # type: ignore[type-arg]
    """The dates and the guest of a new reservation. The rooms are chosen on the same page, below the dates."""

    source = forms.ChoiceField(label=gettext_lazy("Source"))
    country = forms.CharField(label=gettext_lazy("Country"), max_length=60, required=False)

    class Meta:
        model = Reservation
        fields = ("arrival", "departure", "adults", "children", "guest_name", "guest_email", "guest_phone",
                  "language", "country", "source")  # fmt: skip
        labels = {"guest_name": gettext_lazy("Name")}
        widgets = {"arrival": date_input(), "departure": date_input()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].choices = sources()  # type: ignore[attr-defined]
        offer_languages(self, empty_label=hotel_language_label())
        self.fields["language"].widget = forms.Select(choices=self.fields["language"].choices)  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "fd-input"
            field.widget.attrs.setdefault("autocomplete", "off")

    def clean_country(self) -> str:
        """Return the ISO 3166 code of the country. Staff can enter a code, or a name in any language."""
        text: str = self.cleaned_data["country"]
        code = country_code(text) if text else ""
        if code is None:
            raise forms.ValidationError(_("Unknown country. Enter its name or a code such as ESP."))
        return code

    def nights(self) -> Nights | None:
        """Return the nights that the form contains, or None if the dates are missing or not valid."""
        dates = {
            name: self[name].value() if not self.is_bound else self.cleaned_data.get(name)
            for name in ("arrival", "departure")
        }
        arrival, departure = dates["arrival"], dates["departure"]
        if arrival is None or departure is None:
            return None
        try:
            return Nights(arrival, departure)
        except DomainError:
            return None


def new_reservation_view(request: HttpRequest) -> HttpResponse:
    """Show the page, show the free rooms for other dates, or create the reservation and open its page."""
    require_scopes(request, "reservations:write", "locks:write")
    if request.method != "POST":
        return _page(request, NewReservationForm(initial=_initial(request)))
    form = NewReservationForm(request.POST)
    is_valid = form.is_valid()
    if "save" not in request.POST and "check_in" not in request.POST:
        return _page(request, form, hides_errors=True)
    if not is_valid:
        return _page(request, form, status=422)
    try:
        reservation = book_at_front_desk(
            rooms=chosen_rooms(request), is_arriving="check_in" in request.POST, **form.cleaned_data
        )
    except DomainError as error:
        messages.error(request, error_text(error))
        return _page(request, form, status=error.status)
    text = (
        _("{guest} has checked in.")
        if "check_in" in request.POST
        else _("The reservation of {guest} was saved.")
    )
    messages.success(request, text.format(guest=guest_of(reservation)))
    return HttpResponseRedirect(reverse("admin:reminders_reservation_change", args=[reservation.pk]))


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Return the initial values of the form. The room board passes the dates and the room in the URL.

    After midnight the form begins with the night before, because a guest at the desk wants to sleep now.
    """
    first = first_open_night()
    arrival = max(_date(request, "arrival") or first, first)
    departure = _date(request, "departure") or arrival
    if departure <= arrival:
        departure = arrival + timedelta(days=1)
    return {"arrival": arrival, "departure": departure, "adults": 2, "children": 0}


def _date(request: HttpRequest, name: str) -> date | None:
    """Return the date in a parameter of the URL, or None if the date is missing or not valid."""
    try:
        found: date | None = forms.DateField(required=False).clean(request.GET.get(name))
    except forms.ValidationError:
        return None
    return found


def _page(
    request: HttpRequest, form: NewReservationForm, *, hides_errors: bool = False, status: int = 200
) -> HttpResponse:
    nights = form.nights()
    chosen = request.POST.getlist("room") or request.GET.getlist("room")
    groups: list[RoomGroup] = room_groups(availability(nights=nights)) if nights else []
    return render(
        request,
        "reminders/front_desk/new_reservation.html",
        {
            **hotel_site.each_context(request),
            "title": _("New reservation"),
            "form": form,
            "hides_errors": hides_errors,
            "nights": nights,
            "groups": groups,
            "chosen": chosen,
            "may_check_in": nights is not None and first_open_night() <= nights.check_in <= today(),
            "night_before": first_open_night() if first_open_night() < today() else None,
            "night_ends_at": NIGHT_ENDS_AT,
        },
        status=status,
    )

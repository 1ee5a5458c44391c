"""The admin page that generates the rooms of a hotel from the number of floors and of rooms per floor."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from hotelagent.admin.sites import hotel_site
from locks.allocations.room_plan import MAX_ROOMS, NumberPattern, RoomPlan
from locks.errors import InvalidRoomPlan
from locks.models import Room
from locks.services import add_rooms

#: The maximum number of existing room types that the form suggests.
_MAX_SUGGESTIONS = 50


class RoomPlanForm(forms.Form):
    room_type = forms.CharField(
        label=_("Room type"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "room-types", "autocomplete": "off"}),
        help_text=_("For example “Double”. Generate the rooms of each type separately."),
    )
    first_floor = forms.IntegerField(
        label=_("First floor"), min_value=0, max_value=200, initial=1, widget=UnfoldAdminIntegerFieldWidget
    )
    last_floor = forms.IntegerField(
        label=_("Last floor"), min_value=0, max_value=200, initial=3, widget=UnfoldAdminIntegerFieldWidget
    )
    rooms_per_floor = forms.IntegerField(
        label=_("Rooms per floor"),
        min_value=1,
        max_value=MAX_ROOMS,
        initial=10,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    capacity = forms.IntegerField(
        label=_("Guests per room"),
        min_value=1,
        max_value=100,
        initial=2,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    pattern = forms.TypedChoiceField(
        label=_("Room numbers"),
        choices=NumberPattern.choices,
        coerce=NumberPattern,
        widget=UnfoldAdminSelectWidget,
    )
    number_prefix = forms.CharField(
        label=_("Prefix"),
        max_length=10,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("The first characters of each number, for example the letter of a building. Optional."),
    )
    skipped = forms.CharField(
        label=_("Room numbers to leave out"),
        max_length=2_000,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("Separate numbers with commas, for example 113, 213."),
    )

    def clean_room_type(self) -> str:
        return " ".join(self.cleaned_data["room_type"].split())

    def clean_skipped(self) -> frozenset[str]:
        return frozenset(part.strip() for part in self.cleaned_data["skipped"].split(",") if part.strip())

    def plan(self) -> RoomPlan:
        """Return the plan of rooms that the values of the valid form describe."""
        values = dict(self.cleaned_data)
        return RoomPlan(prefix=values.pop("number_prefix"), **values)


@dataclass(frozen=True, slots=True)
class PreviewedRoom:
    number: str
    is_present: bool


def generate_rooms_view(request: HttpRequest) -> HttpResponse:
    """Show the form, with a preview of the rooms that the query string describes. A POST request creates the rooms."""
    if not request.user.has_perm("locks.add_room"):
        raise PermissionDenied
    is_preview = request.method != "POST"
    form = RoomPlanForm((request.GET or None) if is_preview else request.POST, label_suffix="")
    form.fields["room_type"].required = not (is_preview and form.is_bound)
    if form.is_valid() and not is_preview:
        try:
            created = len(add_rooms(form.plan().rooms()))
        except InvalidRoomPlan as error:
            form.add_error(None, str(error.detail))
        else:
            text = ngettext("%(count)d room was created.", "%(count)d rooms were created.", created)
            messages.success(request, text % {"count": created})
            return HttpResponseRedirect(reverse("admin:locks_room_changelist"))
    types = Room.objects.order_by("room_type").values_list("room_type", flat=True).distinct()
    return TemplateResponse(
        request,
        "locks/generate_rooms.html",
        {
            **hotel_site.each_context(request),
            "title": _("Generate rooms"),
            "form": form,
            "preview": _preview(form) if form.is_bound else None,
            "room_types": list(types[:_MAX_SUGGESTIONS]),
        },
    )


def _preview(form: RoomPlanForm) -> dict[str, Any]:
    """Return the rooms by floor and the number of new rooms, or the errors of the form."""
    if not form.is_valid():
        errors = [
            (form[name].label if name in form.fields else "", texts) for name, texts in form.errors.items()
        ]
        return {"errors": errors}
    try:
        rooms = form.plan().rooms()
    except InvalidRoomPlan as error:
        return {"errors": [("", [error.detail])]}
    numbers = [room.number for room in rooms]
    present = set(Room.objects.filter(number__in=numbers).values_list("number", flat=True))
    floors = [
        (floor, [PreviewedRoom(room.number, room.number in present) for room in on_floor])
        for floor, on_floor in groupby(rooms, key=lambda room: room.floor)
    ]
    return {"floors": floors, "new": len(numbers) - len(present), "present": len(present)}

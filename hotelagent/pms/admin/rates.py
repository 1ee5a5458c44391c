"""The admin list of rates."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from hotelagent.admin.base import DeletionsAuditedByServices, HotelModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from hotelagent.pms.models import Rate
from hotelagent.pms.rates import delete_rate, save_rate
from locks.models import Room

#: The weekdays with Django's translations, from Monday (1) to Sunday (7).
WEEKDAY_CHOICES = [(number + 1, label) for number, label in WEEKDAYS.items()]


class RateForm(forms.ModelForm):  # type: ignore[type-arg]
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"),
        choices=WEEKDAY_CHOICES,
        coerce=int,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("If you choose none, the rate applies to all nights."),
    )

    class Meta:
        model = Rate
        fields = ["room_type", "first_night", "last_night", "weekdays", "price", "minimum_nights"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = sorted(set(Room.objects.values_list("room_type", flat=True)))
        # The stored type stays a choice, even if the hotel has no such room any more.
        stored = (
            [self.instance.room_type]
            if self.instance.room_type and self.instance.room_type not in types
            else []
        )
        if "room_type" in self.fields:
            self.fields["room_type"].widget.choices = [(type_, type_) for type_ in [*types, *stored]]


@admin.register(Rate, site=hotel_site)
class RateAdmin(DeletionsAuditedByServices, HotelModelAdmin):
    """The admin list of the prices per night."""

    icon = "sell"
    menu_group = Group.SETUP
    menu_order = 26
    tab_of = "admin:locks_room_changelist"
    form = RateForm
    list_display = ["room_type", "first_night", "last_night", "weekday_names", "price", "minimum"]
    list_filter = ["room_type"]
    ordering = ["room_type", "first_night"]
    # The buttons of the sorted columns would make the list wider than a screen of 1280 pixels.
    sortable_by = ["price"]
    empty_list = EmptyList(
        _("There are no rates yet. Without a rate, searches return the free rooms without a price.")
    )

    @display(description=_("weekdays"))
    def weekday_names(self, rate: Rate) -> str:
        names = ", ".join(str(WEEKDAYS_ABBR[day - 1]) for day in rate.weekdays)
        return names or pgettext("weekdays", "all")

    @display(description=_("minimum nights"), ordering="minimum_nights")
    def minimum(self, rate: Rate) -> int:
        return rate.minimum_nights

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "room_type":
            kwargs["widget"] = UnfoldAdminSelectWidget()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Rate, form: Any, change: bool) -> None:
        save_rate(obj, is_new=not change)

    def delete_model(self, request: HttpRequest, obj: Rate) -> None:
        delete_rate(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rate]) -> None:
        for rate in queryset:
            delete_rate(rate)

"""Admin pages for the suppression list: the addresses that receive no reminders."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from hotelagent.admin.base import DeletionsAuditedByServices, HotelModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from reminders.models import Suppression, SuppressionReason
from reminders.selectors import is_suppressed
from reminders.services.suppressions import add_suppression, remove_suppression

COLOURS = {
    SuppressionReason.BOUNCED: "warning",
    SuppressionReason.COMPLAINED: "danger",
    SuppressionReason.UNSUBSCRIBED: "info",
    SuppressionReason.MANUAL: "default",
}


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].lower()
        if is_suppressed(address):
            raise ValidationError(_("This address is already on the suppression list."))
        return address


@admin.register(Suppression, site=hotel_site)
class SuppressionAdmin(DeletionsAuditedByServices, HotelModelAdmin):
    icon = "block"
    form = SuppressionForm
    menu_group = Group.EMAILS
    menu_order = 40
    list_display = ["email", "state", "created_at"]
    list_filter = [("reason", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["email"]
    empty_list = EmptyList(
        _(
            "No address is on the list. Addresses whose mail server reports that they do not exist, and guests who "
            "unsubscribe, are added automatically."
        )
    )
    ordering = ["-id"]
    fields = ["email"]

    @display(description=_("reason"), label=COLOURS, ordering="reason")
    def state(self, suppression: Suppression) -> tuple[str, str]:
        return suppression.reason, suppression.get_reason_display()

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        add_suppression(email=obj.email)

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        remove_suppression(suppression_id=obj.id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        for suppression in queryset:
            remove_suppression(suppression_id=suppression.id)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""The platform admin of guest contacts. Staff can add and remove contacts, but not change them."""

import contextlib
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from hotelagent.admin.base import DeletionsAuditedByServices, PlatformModelAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import platform_site
from tenants.errors import InvalidContact
from tenants.models import ContactIdentifier, ContactKind
from tenants.services import contacts


class ContactForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        help_texts = {
            "value": _("A phone number with its country code, such as +34 600 123 456, or an e-mail address.")
        }

    def clean(self) -> dict[str, Any]:
        """Add a form error if the service would reject the contact, so that the user can correct the form."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not {"hotel", "kind", "value"} <= cleaned.keys():
            return cleaned
        kind = ContactKind(cleaned["kind"])
        try:
            value = contacts.normalize_contact(kind=kind, value=cleaned["value"])
        except InvalidContact as error:
            self.add_error("value", error.detail)
            return cleaned
        existing = ContactIdentifier.objects.filter(kind=kind, value=value).first()
        if existing is not None:
            self.add_error(
                "value",
                _("The hotel already has this contact.")
                if existing.hotel_id == cleaned["hotel"].pk
                else _("The contact belongs to another hotel. Remove the contact from that hotel first."),
            )
        return cleaned | {"value": value}


@admin.register(ContactIdentifier, site=platform_site)
class ContactAdmin(DeletionsAuditedByServices, PlatformModelAdmin):
    icon = "contact_phone"
    menu_group = Group.HOTELS
    menu_order = 20
    form = ContactForm
    list_display = ("value", "kind_label", "hotel", "created_at")
    list_select_related = ("hotel",)
    list_filter = (("hotel", AutocompleteSelectFilter), ("kind", ChoicesDropdownFilter))
    list_filter_submit = True
    search_fields = ("value", "hotel__name", "hotel__slug")
    search_help_text = _("Search by phone number, e-mail address or hotel")
    autocomplete_fields = ("hotel",)
    ordering = ("-id",)
    fields = ("hotel", "kind", "value")

    @display(
        description=_("kind"),
        ordering="kind",
        label={ContactKind.PHONE: "info", ContactKind.EMAIL: "default"},
    )
    def kind_label(self, contact: ContactIdentifier) -> tuple[str, str]:
        return contact.kind, contact.get_kind_display()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ContactIdentifier], search_term: str
    ) -> tuple[QuerySet[ContactIdentifier], bool]:
        """Return the exact match if the term is a complete phone number or e-mail address in any notation.

        For other terms, return the contacts that contain the term, and the contacts of hotels whose name contains the
        term.
        """
        for kind in ContactKind:
            with contextlib.suppress(InvalidContact):
                exact = queryset.filter(
                    kind=kind, value=contacts.normalize_contact(kind=kind, value=search_term)
                )
                if exact.exists():
                    return exact, False
        results: tuple[QuerySet[ContactIdentifier], bool] = super().get_search_results(
            request, queryset, search_term
        )
        return results

    def get_fields(self, request: HttpRequest, obj: ContactIdentifier | None = None) -> Any:
        return self.fields if obj is None else (*self.fields, "created_at")

    def save_model(self, request: HttpRequest, obj: ContactIdentifier, form: Any, change: bool) -> None:
        contact, _is_new = contacts.add_contact(
            hotel_id=obj.hotel_id, kind=ContactKind(obj.kind), value=obj.value
        )
        obj.pk = contact.pk

    def delete_model(self, request: HttpRequest, obj: ContactIdentifier) -> None:
        contacts.remove_contact(hotel_id=obj.hotel_id, contact_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ContactIdentifier]) -> None:
        for contact in queryset:
            contacts.remove_contact(hotel_id=contact.hotel_id, contact_id=contact.pk)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

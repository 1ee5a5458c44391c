"""The admin page for the connection to the PMS: settings, a connection test, and paused calls."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from hotelagent.admin.base import SettingsPageAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from hotelagent.core import public_addresses
from hotelagent.pms import connections
from hotelagent.pms.calls import breaker
from hotelagent.pms.models import CircuitBreaker, Connection, System
from locks.models import Room


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    key = forms.CharField(
        label=_("Access key"),
        required=False,
        max_length=200,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_(
            "The key is stored encrypted and is not shown again. Leave blank to keep the stored key."
        ),
    )

    class Meta:
        model = Connection
        fields = ["system", "currency", "taxes_included", "url", "property_id", "room_types"]
        help_texts = {
            "url": _("The URL of the other system, such as https://booking.example.com."),
            "taxes_included": _("Only for the rates of hotelagent."),
        }

    room_types = forms.CharField(
        label=_("Room types"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
        help_text=_(
            "One line for each room type of your hotel with its number in the other system, such as double = 3."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = [f"{room_type} = {number}" for room_type, number in sorted(self.instance.room_types.items())]
        self.initial["room_types"] = "\n".join(lines)

    def clean_room_types(self) -> dict[str, str]:
        """Return the number of each room type. Each line has a room type of the hotel, an equals sign and a number."""
        known = set(Room.objects.values_list("room_type", flat=True))
        numbers: dict[str, str] = {}
        for line in str(self.cleaned_data["room_types"]).splitlines():
            if not line.strip():
                continue
            room_type, _sign, number = (part.strip() for part in line.rpartition("="))
            if room_type not in known:
                raise ValidationError(
                    _("The hotel has no room type %(type)s. Its room types are: %(known)s."),
                    params={"type": room_type or line.strip(), "known": ", ".join(sorted(known))},
                )
            if not number.isdecimal() or number in numbers.values():
                raise ValidationError(
                    _("Enter a different number for each room type. This line has none: %(line)s"),
                    params={"line": line.strip()},
                )
            numbers[room_type] = number
        return numbers

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        if currency and (len(currency) != 3 or not (currency.isascii() and currency.isalpha())):
            raise ValidationError(_("Enter the three letters of a currency, such as EUR or USD."))
        return currency

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        if url:
            try:
                public_addresses.parse_url(url)
            except public_addresses.URLNotAllowed as error:
                raise ValidationError(error.detail) from error
        return url

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("system") == System.LOCAL:
            return cleaned
        for name in ("url", "property_id", "currency"):
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, _("This field is required."))
        if not cleaned.get("key") and self.instance.encrypted_key is None:
            self.add_error("key", _("This field is required."))
        return cleaned


@admin.register(Connection, site=hotel_site)
class ConnectionAdmin(SettingsPageAdmin):
    """The admin page for the connection to the PMS. Each hotel has one connection, so there is no list page."""

    icon = "lan"
    menu_group = Group.SETUP
    menu_order = 50
    tab_of = "admin:locks_webhook_changelist"
    form = ConnectionForm
    fieldsets = [
        (None, {"fields": ["system", "currency", "taxes_included"]}),
        (_("Another system"), {"fields": ["url", "property_id", "key", "room_types"]}),
    ]
    change_form_outer_before_template = "pms/connection_state.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("test/", wrap(self.test_view), name="pms_connection_test"),
            path("resume/", wrap(self.resume_view), name="pms_connection_resume"),
            *super().get_urls(),
        ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Connection | None:
        return connections.current_connection() if object_id == "1" else None

    def get_fieldsets(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        """Return only what staff can read, for users who may not change the connection."""
        if self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        remote = ["url", "property_id", "room_type_numbers"] if obj and obj.is_remote else []
        return [(None, {"fields": ["system", "currency", "taxes_included", *remote]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[str]:
        return [] if self.has_change_permission(request, obj) else ["room_type_numbers"]

    @display(description=_("room types in the PMS"), empty_value="-")
    def room_type_numbers(self, connection: Connection) -> str | None:
        numbers = sorted(connection.room_types.items())
        return ", ".join(f"{room_type} = {number}" for room_type, number in numbers) or None

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "show_actions": self.has_change_permission(request),
            "paused": CircuitBreaker.objects.exclude(open_until=None),
        }

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name != "key"}
        connections.change_connection(changes=changes, key=form.cleaned_data["key"] or None)

    def test_view(self, request: HttpRequest) -> HttpResponse:
        """Test the saved connection and show the result of each step."""
        self._check_change(request)
        if request.method != "POST":
            return self._back()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Connection test"),
            "results": connections.test_connection(),
            "back": self._url(),
        }
        return TemplateResponse(request, "pms/connection_test.html", context)

    def resume_view(self, request: HttpRequest) -> HttpResponse:
        """Resume the calls of an operation that are paused."""
        self._check_change(request)
        if request.method == "POST":
            paused = CircuitBreaker.objects.filter(operation=request.POST.get("operation", "")).first()
            if paused is not None:
                breaker.reset(paused.operation)
                self.message_user(request, _("The calls were resumed."), messages.SUCCESS)
        return self._back()

    def _check_change(self, request: HttpRequest) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied

    def _url(self) -> str:
        return reverse("admin:pms_connection_changelist")

    def _back(self) -> HttpResponseRedirect:
        return HttpResponseRedirect(self._url())

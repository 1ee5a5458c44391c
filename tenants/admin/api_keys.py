"""The admin of API keys.

Keys can be created and revoked, but not deleted, because the audit trail refers to the keys.
"""

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from hotelagent.admin.account.reauthentication import require_confirmation
from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.access import api_keys
from tenants.models import ApiKey

LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("1 year")), ("", _("No expiry"))]


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form for a new API key. The form has no fields for the prefix and the secret, which are generated."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The name of the client that uses the key. The audit trail shows this name."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Select only the scopes that the client needs."),
    )
    lifetime = forms.ChoiceField(
        label=_("Lifetime"), choices=LIFETIMES, required=False, initial="90", widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # An existing key is shown without form fields, because it cannot be changed.
        if "scopes" in self.fields:
            self.fields["scopes"].choices = [  # type: ignore[attr-defined]
                (scope, f"{scope} - {label}") for scope, label in api_keys.available_scopes().items()
            ]

    def expires_at(self) -> datetime.datetime | None:
        days = self.cleaned_data["lifetime"]
        return timezone.now() + datetime.timedelta(days=int(days)) if days else None


@admin.register(ApiKey, site=hotel_site)
@admin.register(ApiKey, site=platform_site)
class ApiKeyAdmin(HotelModelAdmin):
    icon = "key"
    menu_group = Group.ACCESS
    menu_order = 40
    form = ApiKeyForm
    list_display = ("name", "prefix", "scope_list", "status_badge", "expires_at", "last_used_at")
    search_fields = ("name", "prefix")
    ordering = ("-id",)
    actions = ("revoke",)
    fields = ("name", "scopes", "lifetime")
    empty_list = EmptyList(
        _(
            "There are no API keys yet. Add a key for each system that uses the REST API, such as a booking engine, "
            "a channel manager or a chat agent."
        )
    )

    @display(description=_("scopes"))
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description=_("status"), label={"active": "success", "revoked": "danger", "expired": "warning"})
    def status_badge(self, key: ApiKey) -> tuple[str, str]:
        if key.revoked_at is not None:
            return "revoked", str(_("revoked"))
        if key.is_active(now=timezone.now()):
            return "active", pgettext("API key", "active")
        return "expired", str(_("expired"))

    @display(description=_("status"))
    def status_text(self, key: ApiKey) -> str:
        """Return the key's status as plain text. The list of keys shows a coloured badge instead of this text."""
        _code, text = self.status_badge(key)
        return str(text)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return self.fields
        return (
            "name",
            "prefix",
            "scope_list",
            "status_text",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        )

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for the user's password before a key is created, because the key stays valid after the session."""
        if self.has_add_permission(request) and (page := require_confirmation(request, self.admin_site)):
            return page
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        response: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **buttons})
        return response

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key, form.key_text = api_keys.create(
            name=form.cleaned_data["name"], scopes=form.cleaned_data["scopes"], expires_at=form.expires_at()
        )
        obj.pk, obj.prefix = key.pk, key.prefix
        # The method response_add() reads the full text of the new key from this attribute and shows it to the user.
        request.key_text = form.key_text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """Return the page that shows the full text of a new key. The text is shown only once.

        The page is the response to the POST request. With a redirect to the page, the text would have to be stored.
        """
        context = {
            **self.admin_site.each_context(request),
            "title": _("New API key"),
            "opts": self.opts,
            "key": obj,
            "key_text": request.key_text,  # type: ignore[attr-defined]
        }
        response = TemplateResponse(request, "tenants/api_key_created.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        # No log entry of Django is needed, because the receiver of the signal api_key_created records an audit event.
        return LogEntry()

    @admin.action(description=_("Revoke the selected keys"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = sum(api_keys.revoke(key) for key in queryset)
        self.message_user(
            request,
            ngettext("%(count)d key was revoked.", "%(count)d keys were revoked.", revoked)
            % {"count": revoked},
            messages.SUCCESS,
        )

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tenants.change_apikey"))

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

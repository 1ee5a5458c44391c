"""API keys: made here, shown once, revoked here. They are never changed and never deleted."""

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
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.access import api_keys
from tenants.models import ApiKey

LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("1 year")), ("", _("until it is revoked"))]


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a person decides about a new key; the rest is drawn at random."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Who will use it, for what: the audit trail shows this name."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("As few as the client needs."),
    )
    lifetime = forms.ChoiceField(
        label=_("Lifetime"), choices=LIFETIMES, required=False, initial="90", widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "scopes" in self.fields:  # a key that is only looked at has no form fields
            self.fields["scopes"].choices = [  # type: ignore[attr-defined]
                (scope, f"{scope} - {meaning}") for scope, meaning in api_keys.known_scopes().items()
            ]

    def expires_at(self) -> datetime.datetime | None:
        days = self.cleaned_data["lifetime"]
        return timezone.now() + datetime.timedelta(days=int(days)) if days else None


@admin.register(ApiKey, site=hotel_site)
@admin.register(ApiKey, site=platform_site)
class ApiKeyAdmin(HotelModelAdmin):
    icon = "key"
    menu_order = 20
    form = ApiKeyForm
    list_display = ("name", "prefix", "scope_list", "state", "expires_at", "last_used_at")
    search_fields = ("name", "prefix")
    ordering = ("-id",)
    actions = ("revoke",)
    fields = ("name", "scopes", "lifetime")

    @display(description=_("scopes"))
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description=_("state"), label={"live": "success", "revoked": "danger", "expired": "warning"})
    def state(self, key: ApiKey) -> tuple[str, str]:
        if key.revoked_at is not None:
            return "revoked", str(_("revoked"))
        return ("live", str(_("live"))) if key.is_live(now=timezone.now()) else ("expired", str(_("expired")))

    @display(description=_("state"))
    def state_now(self, key: ApiKey) -> str:
        """On the key's own page, where there are no labels."""
        _state, words = self.state(key)
        return str(words)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return self.fields
        return (
            "name",
            "prefix",
            "scope_list",
            "state_now",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        )

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        view: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **one_button})
        return view

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key, form.key_text = api_keys.make(
            name=form.cleaned_data["name"], scopes=form.cleaned_data["scopes"], expires_at=form.expires_at()
        )
        obj.pk, obj.prefix = key.pk, key.prefix
        request.key_text = form.key_text  # type: ignore[attr-defined]  # for the answer to this request only

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """The one page that shows the key. It is not stored, not redirected to and not cached."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new key"),
            "opts": self.opts,
            "key": obj,
            "key_text": request.key_text,  # type: ignore[attr-defined]
        }
        response = TemplateResponse(request, "hotelagent/key_shown.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return LogEntry()  # `api_keys.make` has told the trail, with what matters of a key

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

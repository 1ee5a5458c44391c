"""The admin of staff accounts.

The admin site of a hotel manages the staff of that hotel. The admin site of the platform manages the platform's staff.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.forms import UserChangeForm, UserCreationForm

from hotelagent.admin.account.passwords import StaffPasswordForm
from hotelagent.admin.account.reauthentication import require_confirmation
from hotelagent.admin.base import HotelModelAdmin, changed_fields
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.models import Language, User
from tenants.services.staff import available_roles, reset_second_factor
from tenants.signals import (
    personal_data_read,
    staff_activation_changed,
    staff_added,
    staff_email_changed,
    staff_role_changed,
)


class StaffCreationForm(UserCreationForm):  # type: ignore[misc]
    # Remove the form field `usable_password` of Django, with which accounts without a password can be created.
    usable_password = None

    class Meta:
        model = User
        fields = ("username", "full_name", "email", "role")


class StaffChangeForm(UserChangeForm):  # type: ignore[misc]
    class Meta:
        model = User
        fields = "__all__"


class SecondFactorFilter(admin.SimpleListFilter):
    """A filter for accounts with or without two-factor authentication."""

    title = _("two-factor authentication")
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("on", _("On")), ("off", _("Off"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() not in {"on", "off"}:
            return queryset
        return queryset.filter(totp_secret__isnull=self.value() == "off")


@admin.register(User, site=hotel_site)
@admin.register(User, site=platform_site)
class StaffAdmin(DjangoUserAdmin, HotelModelAdmin):  # type: ignore[type-arg]
    icon = "badge"
    menu_group = Group.ACCESS
    menu_order = 30
    form = StaffChangeForm
    add_form = StaffCreationForm
    add_form_template = None
    change_password_form = StaffPasswordForm
    list_display = ("username", "full_name", "role_label", "active_label", "second_factor", "last_login")
    list_display_links = ("username", "full_name")
    list_filter = ("role", "is_active", SecondFactorFilter)
    search_fields = ("username", "full_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("password_link", "second_factor_link", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("username", "password_link", "second_factor_link")}),
        (_("Person"), {"fields": ("full_name", "email", "language")}),
        (_("Access"), {"fields": ("role", "is_active", "last_login", "created_at")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "username",
                    "full_name",
                    "email",
                    "role",
                    "password1",
                    "password2",
                )
            },
        ),
    )

    @display(description=_("password"))
    def password_link(self, user: User) -> SafeString:
        """Return a link to the page for setting a password. The form shows the link instead of the password hash."""
        url = reverse(f"{self.admin_site.name}:auth_user_password_change", args=[user.pk])
        return format_html('<a class="underline" href="{}">{}</a>', url, _("Set a new password"))

    @display(description=_("two-factor authentication"), boolean=True)
    def second_factor(self, user: User) -> bool:
        return user.has_second_factor

    @display(description=_("two-factor authentication"))
    def second_factor_link(self, user: User) -> SafeString | str:
        """Return whether the account has a second factor, with a link to the page that resets it."""
        if not user.has_second_factor:
            return str(_("Off"))
        url = reverse(f"{self.admin_site.name}:reset_second_factor", args=[user.pk])
        return format_html('{} · <a class="underline" href="{}">{}</a>', _("On"), url, _("Reset"))

    @display(description=_("role"), ordering="role", label=True)
    def role_label(self, user: User) -> str:
        return str(user.get_role_display())

    @display(description=_("active"), ordering="is_active", boolean=True)
    def active_label(self, user: User) -> bool:
        return user.is_active

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return the fieldsets of the form. Users who cannot change the account do not see the password link."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return ((None, {"fields": ("username",)}), *fieldsets[1:])

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "role":
            kwargs["choices"] = [(role.value, role.label) for role in available_roles()]
        if db_field.name == "language":
            kwargs["choices"] = [("", _("The browser's language")), *Language.choices]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: User | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        form = super().get_form(request, obj, **kwargs)
        if obj is None or obj.pk != request.user.pk:
            return form
        return _own_account_form(form)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.reset_second_factor_view)
        return [
            path("<uuid:user_id>/reset-second-factor/", page, name="reset_second_factor"),
            *super().get_urls(),
        ]

    def reset_second_factor_view(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Reset the second factor of another account on POST. On GET, ask for a confirmation."""
        user = get_object_or_404(User, pk=user_id)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        if user.pk == request.user.pk:
            return HttpResponseRedirect(reverse("admin:account"))
        if page := require_confirmation(request, self.admin_site):
            return page
        if not user.has_second_factor:  # Another administrator may have reset it in the meantime.
            return HttpResponseRedirect(reverse("admin:tenants_user_change", args=[user.pk]))
        if request.method == "POST":
            reset_second_factor(username=user.username)
            text = _("The two-factor authentication of %(name)s was reset.") % {"name": user}
            self.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:tenants_user_change", args=[user.pk]))
        personal_data_read.send(User, request=request, kind="user", ids=[str(user.pk)])
        context = {
            **self.admin_site.each_context(request),
            "title": _("Reset two-factor authentication"),
            "account": user,
        }
        return TemplateResponse(request, "hotelagent/account/reset_second_factor.html", context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Ask for the user's password before an account is added or changed."""
        if object_id is None or request.method == "POST":
            is_allowed = (
                self.has_change_permission(request) if object_id else self.has_add_permission(request)
            )
            if is_allowed and (page := require_confirmation(request, self.admin_site)):
                return page
        return super().changeform_view(request, object_id, *args, **kwargs)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Require users to enter their own password again before they set the password of another account."""
        if id == str(request.user.pk):
            return HttpResponseRedirect(reverse("admin:password_change"))
        if self.has_change_permission(request) and (page := require_confirmation(request, self.admin_site)):
            return page
        return super().user_change_password(request, id, form_url)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.must_change_password |= not change
        super().save_model(request, obj, form, change)
        if not change:
            staff_added.send(User, user=obj)
            return
        if "role" in form.changed_data:
            staff_role_changed.send(User, user=obj, before=form.initial["role"])
        if "is_active" in form.changed_data:
            staff_activation_changed.send(User, user=obj)
        if "email" in form.changed_data:
            staff_email_changed.send(User, user=obj, before=form.initial["email"])

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        """Record nothing, because the receiver of the signal `staff_added` records the account and its role."""
        return LogEntry()

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        """Record the changed fields. Do nothing for a new password, which StaffPasswordForm records."""
        return (
            LogEntry() if "password" in changed_fields(message) else super().log_change(request, obj, message)
        )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return False, because the audit trail refers to accounts. Deactivate an account instead."""
        return False


def _own_account_form(form: "type[forms.ModelForm[User]]") -> "type[forms.ModelForm[User]]":
    """Return a form for users who edit their own account. The form rejects changes that could lock the user out."""

    class OwnAccountForm(form):  # type: ignore[valid-type,misc]
        def clean(self) -> dict[str, Any]:
            cleaned: dict[str, Any] = super().clean() or self.cleaned_data
            if {"role", "is_active"} & set(self.changed_data):
                raise ValidationError(_("You cannot change your own role or access. Ask another manager."))
            return cleaned

    return OwnAccountForm

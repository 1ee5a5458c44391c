"""The admin of staff accounts.

The admin site of a hotel manages the staff of that hotel. The admin site of the platform manages the platform's staff.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.forms import UserChangeForm, UserCreationForm

from hotelagent.admin.base import HotelModelAdmin, changed_fields
from hotelagent.admin.navigation import Group
from hotelagent.admin.passwords import StaffPasswordForm
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.models import Language, User
from tenants.services.staff import available_roles
from tenants.signals import staff_activation_changed, staff_added, staff_role_changed


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
    list_display = ("username", "full_name", "role_label", "active_label", "last_login")
    list_display_links = ("username", "full_name")
    list_filter = ("role", "is_active")
    search_fields = ("username", "full_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("password_link", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("username", "password_link")}),
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

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            staff_added.send(User, user=obj)
            return
        if "role" in form.changed_data:
            staff_role_changed.send(User, user=obj, before=form.initial["role"])
        if "is_active" in form.changed_data:
            staff_activation_changed.send(User, user=obj)

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

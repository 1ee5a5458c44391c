"""Rules and templates: when the hotel writes, and what."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.decorators import display

from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.sites import hotel_site
from reminders import rendering
from reminders.admin.previews import preview_of
from reminders.composing import send_test
from reminders.models import FIRST_RULES, Rule, Template
from reminders.tasks import replan_all
from tenants.context import current_hotel
from tenants.errors import DomainError


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        parts = {name: cleaned.get(name, "") for name in ("subject", "text", "html")}
        try:
            rendering.check(**parts)
        except DomainError as error:
            raise ValidationError({error.extra.get("part", "__all__"): error.detail}) from error
        return cleaned

    def clean_language(self) -> str:
        return str(self.cleaned_data["language"]).lower().replace("_", "-")


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A first rule that keeps its name is called by it in each reader's language, here too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.name in FIRST_RULES:
            self.initial["name"] = str(self.instance)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        return name if "name" in self.changed_data else self.instance.name


class TemplateInline(StackedInline):  # type: ignore[misc]
    model = Template
    form = TemplateForm
    fields = ["language", "subject", "text", "html"]
    extra = 0
    tab = True


@admin.register(Rule, site=hotel_site)
class RuleAdmin(HotelModelAdmin):
    icon = "rule"
    menu_order = 20
    form = RuleForm
    sortable_by = ()
    list_display = ["called", "is_active", "anchor", "offset_days", "offset_hours", "send_at", "late_policy"]
    inlines = [TemplateInline]
    fieldsets = [
        (None, {"fields": ["name", "is_active"]}),
        (
            _("When"),
            {
                "fields": [
                    "anchor",
                    ("offset_days", "offset_hours"),
                    ("send_at", "window_hours"),
                    "late_policy",
                ]
            },
        ),
        (_("For whom"), {"fields": ["guests", ("room_types", "sources"), ("min_nights", "max_nights")]}),
        (_("Several mails in a day"), {"fields": [("order", "guest_cap")]}),
    ]

    @display(description=_("name"), ordering="name")
    def called(self, rule: Rule) -> str:
        return str(rule)

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        replan_all.delay_on_commit()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A rule that is not wanted any more is made inactive: what it sent stays to be seen."""
        return False


@admin.register(Template, site=hotel_site)
class TemplateAdmin(HotelModelAdmin):
    icon = "draft"
    menu_order = 30
    form = TemplateForm
    list_display = ["rule", "language", "subject"]
    sortable_by = ()
    list_filter = ["rule", "language"]
    list_select_related = ["rule"]
    actions = ["send_me_a_test"]
    fields = ["rule", "language", "subject", "text", "html", "preview"]
    readonly_fields = ["preview"]
    change_form_outer_before_template = "reminders/send_test.html"

    @display(description=_("preview"))
    def preview(self, template: Template) -> SafeString | str:
        if not Template.objects.filter(id=template.id).exists():
            return str(_("Save it first."))
        return preview_of(template)

    @admin.action(description=_("Send me a test"), permissions=["change"])
    def send_me_a_test(self, request: HttpRequest, queryset: QuerySet[Template]) -> None:
        recipient = getattr(request.user, "email", "")
        if not recipient:
            self.message_user(request, _("Your account has no e-mail address."), messages.ERROR)
            return
        for template in queryset:
            try:
                send_test(template, recipient=recipient, hotel=current_hotel())
            except DomainError as error:
                self.message_user(request, f"{template}: {error.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{template} → {recipient}", messages.SUCCESS)

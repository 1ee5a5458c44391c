"""Admin pages for rules and their templates."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from reminders.admin.templates import TemplateForm
from reminders.models import FIRST_RULES, Reservation, Rule, Template
from reminders.planning.replan import schedule_full_replan
from reminders.setup.services import confirm_step
from reminders.setup.steps import SetupStep

#: The form checks the same limits as the database's check constraints, to show an error next to the field.
_MIN_VALUES = {"window_hours": 1, "daily_limit": 1}
_MAX_VALUES = {"offset_days": 730, "offset_hours": 17_520, "window_hours": 720}
#: Maps each list field of a rule to the column of reservations that is compared with the list.
#: A rule applies only to reservations whose room type and source are in the lists of the rule.
#: A rule with an empty list of room types or sources applies to all room types or sources.
_LIST_FIELDS = {"room_types": "room_type", "sources": "source"}
_MAX_EXAMPLES = 20


def _values_in_use(column: str) -> list[str]:
    values = Reservation.objects.exclude(**{column: ""}).order_by(column).values_list(column, flat=True)
    return list(values.distinct()[:_MAX_EXAMPLES])


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form for a rule. The names of default rules are displayed in the user's language."""

    class Meta:
        widgets = {"room_types": UnfoldAdminTextInputWidget(), "sources": UnfoldAdminTextInputWidget()}
        help_texts = {"offset_days": _("Enter 0 for the day of arrival or departure.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.name in FIRST_RULES:
            self.initial["name"] = str(self.instance)
        for name, field in self.fields.items():  # A read-only form has no fields.
            if name in _MIN_VALUES:
                field.validators.append(MinValueValidator(_MIN_VALUES[name]))
            if name in _MAX_VALUES:
                field.validators.append(MaxValueValidator(_MAX_VALUES[name]))
            if name in _LIST_FIELDS:
                values = ", ".join(_values_in_use(_LIST_FIELDS[name])) or "-"
                field.help_text = _(
                    "Separate values with commas. Leave blank to include all values. Values in use: %(values)s."
                ) % {"values": values}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        minimum, maximum = cleaned.get("min_nights"), cleaned.get("max_nights")
        if minimum is not None and maximum is not None and maximum < minimum:
            raise ValidationError({"max_nights": _("The maximum number of nights is less than the minimum.")})
        return cleaned

    def clean_name(self) -> str:
        """Return the name to store.

        The form displays the translated name of a default rule. If the user did not change this name, the stored name
        is kept.
        """
        name: str = self.cleaned_data["name"]
        return name if "name" in self.changed_data else self.instance.name


class TemplateFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        """Raise ValidationError if an active rule has no template, because all of its reminders would fail."""
        super().clean()
        kept = Template.objects.filter(rule_id=self.instance.pk).count() - len(self.deleted_forms)
        added = [form for form in self.extra_forms if form.has_changed() and form not in self.deleted_forms]
        if self.instance.is_active and kept + len(added) < 1:
            raise ValidationError(
                _("An active rule needs a template. Add one under “Templates”, or deactivate the rule.")
            )


class TemplateInline(StackedInline):  # type: ignore[misc]
    model = Template
    form = TemplateForm
    formset = TemplateFormSet
    fields = ["language", "subject", "text", "html"]
    extra = 0
    tab = True


@admin.register(Rule, site=hotel_site)
class RuleAdmin(HotelModelAdmin):
    icon = "rule"
    menu_group = Group.EMAILS
    menu_order = 10
    item_title = _("Rules and templates")
    form = RuleForm
    sortable_by = ()
    list_display = [
        "translated_name", "is_active", "anchor", "offset_days", "offset_hours", "send_at", "late_policy"
    ]  # fmt: skip
    inlines = [TemplateInline]
    empty_list = EmptyList(
        _(
            "There are no rules yet. Without a rule, no reminder is sent. "
            "Add a rule, for example “1 day before arrival”."
        )
    )
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
        (
            _("Conditions"),
            {"fields": ["guests", ("room_types", "sources"), ("min_nights", "max_nights")]},
        ),
        (_("Order and daily limit of the e-mails to a guest"), {"fields": [("order", "daily_limit")]}),
    ]

    @display(description=_("name"), ordering="name")
    def translated_name(self, rule: Rule) -> str:
        return str(rule)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Render the page, and also show template errors at the top of the page.

        The tab with the templates may be closed, so the user might not see the errors there.
        """
        for inline in context["inline_admin_formsets"]:
            for error in inline.formset.non_form_errors():
                self.message_user(request, error, messages.ERROR)
        page: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return page

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        confirm_step(SetupStep.RULES)
        schedule_full_replan()
        self.message_user(
            request, _("The rule was saved. Scheduled reminders will be updated within a few minutes.")
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Forbid deletion, because sent reminders refer to their rule. A rule can be deactivated instead."""
        return False

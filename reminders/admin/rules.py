"""Rules and templates: when the hotel writes, and what."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.sites import hotel_site
from reminders.admin.previews import preview_of
from reminders.mail import rendering
from reminders.mail.variables import AVAILABLE
from reminders.models import FIRST_RULES, Reservation, Rule, Template
from reminders.models.validators import validate_language
from reminders.planning.replan import schedule_full_replan
from reminders.services.templates import send_test_message
from tenants.errors import DomainError


def _flaw(error: DomainError) -> str:
    if unknown := error.extra.get("unknown"):
        known = ", ".join(sorted(AVAILABLE))
        return str(_("There is no %(unknown)s. There are: %(known)s.")) % {
            "unknown": ", ".join(unknown),
            "known": known,
        }
    return str(error.detail)


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = ", ".join(f"{{{{ {name} }}}}" for name in sorted(AVAILABLE))
        told = {
            "language": str(_("As in es, en or pt-br. A guest of another language gets the hotel's.")),
            "text": str(_("May use, as subject and HTML may: %(names)s.") % {"names": names}),
        }
        for name in told.keys() & self.fields.keys():  # none where the page only shows
            self.fields[name].help_text = told[name]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        parts = {name: cleaned.get(name, "") for name in ("subject", "text", "html")}
        try:
            rendering.validate_template(**parts)
        except DomainError as error:
            part = error.extra.get("part", "__all__")
            raise ValidationError({part: _flaw(error).removeprefix(f"{part}: ")}) from error
        return cleaned

    def clean_language(self) -> str:
        language = str(self.cleaned_data["language"]).strip().lower().replace("_", "-")
        validate_language(language)
        return language


#: What the constraints of the table say, said at the field.
_LEAST = {"window_hours": 1, "guest_cap": 1}
_MOST = {"offset_days": 730, "offset_hours": 17_520, "window_hours": 720}
#: What a list is compared with, in the reservation.
_COMPARED = {"room_types": "room_type", "sources": "source"}
_KNOWN_SHOWN = 20


def _known(column: str) -> list[str]:
    found = Reservation.objects.exclude(**{column: ""}).order_by(column).values_list(column, flat=True)
    return list(found.distinct()[:_KNOWN_SHOWN])


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A first rule that keeps its name is called by it in each reader's language, here too."""

    class Meta:
        widgets = {"room_types": UnfoldAdminTextInputWidget(), "sources": UnfoldAdminTextInputWidget()}
        help_texts = {"offset_days": _("0: on the day itself, at the time below.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.name in FIRST_RULES:
            self.initial["name"] = str(self.instance)
        for name, field in self.fields.items():  # none where the page only shows
            if name in _LEAST:
                field.validators.append(MinValueValidator(_LEAST[name]))
            if name in _MOST:
                field.validators.append(MaxValueValidator(_MOST[name]))
            if name in _COMPARED:
                field.help_text = _("With commas between. Empty: all. In the reservations: %(known)s.") % {
                    "known": ", ".join(_known(_COMPARED[name])) or "-"
                }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        least, most = cleaned.get("min_nights"), cleaned.get("max_nights")
        if least is not None and most is not None and most < least:
            raise ValidationError({"max_nights": _("Fewer than the least: no stay is as long.")})
        return cleaned

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        return name if "name" in self.changed_data else self.instance.name


class TemplatesOfARule(BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        """An active rule without words would have each of its mails fail."""
        super().clean()
        kept = Template.objects.filter(rule_id=self.instance.pk).count() - len(self.deleted_forms)
        added = [form for form in self.extra_forms if form.has_changed() and form not in self.deleted_forms]
        if self.instance.is_active and kept + len(added) < 1:
            raise ValidationError(
                _("An active rule needs a template: write one under “Templates”, or leave the rule inactive.")
            )


class TemplateInline(StackedInline):  # type: ignore[misc]
    model = Template
    form = TemplateForm
    formset = TemplatesOfARule
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

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        for inline in context["inline_admin_formsets"]:  # its tab may not be the one that is looked at
            for error in inline.formset.non_form_errors():
                self.message_user(request, error, messages.ERROR)
        page: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return page

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        schedule_full_replan()
        self.message_user(request, _("Reminders that have not gone yet are planned again in a moment."))

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

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Keeps an active rule its last template: without words, each of its mails would fail."""
        deleted, counts, missing, protected = super().get_deleted_objects(objs, request)
        leaving = {template.pk for template in objs}
        for rule in {template.rule for template in objs if template.rule.is_active}:
            if not rule.templates.exclude(pk__in=leaving).exists():
                protected.append(_("“%(rule)s”: an active rule needs a template") % {"rule": rule})
        return deleted, counts, missing, protected

    @admin.action(description=_("Send me a test"), permissions=["change"])
    def send_me_a_test(self, request: HttpRequest, queryset: QuerySet[Template]) -> None:
        recipient = getattr(request.user, "email", "")
        if not recipient:
            self.message_user(request, _("Your account has no e-mail address."), messages.ERROR)
            return
        for template in self.apply_to_each(
            request, queryset, lambda template: send_test_message(template, recipient=recipient)
        ):
            self.message_user(request, f"{template} → {recipient}", messages.SUCCESS)

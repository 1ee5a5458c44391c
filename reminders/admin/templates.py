"""Admin pages for templates. The admin pages for rules use the same template form."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.language_fields import offer_languages
from hotelagent.admin.lists import EmptyList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from reminders.admin.next_steps import SHOW_RULES
from reminders.admin.previews import describe_error, preview_view, render_template_editor
from reminders.mail.rendering import TEMPLATE_VARIABLES
from reminders.mail.template_validation import find_errors
from reminders.models import Template
from reminders.services.emails import send_test_message
from tenants.languages import language_name


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        variables = ", ".join(f"{{{{ {name} }}}}" for name in sorted(TEMPLATE_VARIABLES))
        help_texts = {
            "language": str(
                _("If there is no template in a guest's language, the hotel's language is used.")
            ),
            "text": str(
                _("You can use these variables in the subject, text and HTML: %(names)s.")
                % {"names": variables}
            ),
        }
        offer_languages(self)
        for name in help_texts.keys() & self.fields.keys():  # The form of a read-only page has no fields.
            self.fields[name].help_text = help_texts[name]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        parts = {name: cleaned.get(name, "") for name in ("subject", "text", "html")}
        if errors := find_errors(**parts):
            raise ValidationError({error.extra["part"]: describe_error(error) for error in errors})
        return cleaned


@admin.register(Template, site=hotel_site)
class TemplateAdmin(HotelModelAdmin):
    icon = "draft"
    menu_group = Group.EMAILS
    menu_order = 20
    tab_of = "admin:reminders_rule_changelist"
    form = TemplateForm
    compressed_fields = False
    list_display = ["rule", "language_label", "subject"]
    sortable_by = ()
    list_filter = ["rule", "language"]
    list_select_related = ["rule"]
    empty_list = EmptyList(
        _("There are no templates yet. Each active rule needs a template in the hotel's language."),
        (SHOW_RULES,),
    )
    actions = ["send_test"]
    fields = ["rule", "language", "subject", "text", "html", "preview"]
    readonly_fields = ["preview"]
    change_form_outer_before_template = "reminders/send_test.html"

    @display(description=_("language"))
    def language_label(self, template: Template) -> str:
        return language_name(template.language)

    @display(description=_("preview"))
    def preview(self, template: Template) -> SafeString:
        return render_template_editor(template)

    @property
    def media(self) -> forms.Media:
        script: Any = forms.Script("reminders/template_editor.js", defer=True)
        editor = forms.Media(css={"all": ["reminders/template_editor.css"]}, js=[script])
        return super().media + editor

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(preview_view)
        return [path("preview/", view, name="reminders_template_preview"), *super().get_urls()]

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Protect an active rule's last template from deletion. Without a template, all reminders of the rule fail."""
        deleted, counts, missing, protected = super().get_deleted_objects(objs, request)
        deleted_ids = {template.pk for template in objs}
        for rule in {template.rule for template in objs if template.rule.is_active}:
            if not rule.templates.exclude(pk__in=deleted_ids).exists():
                protected.append(
                    _(
                        "The active rule “%(rule)s” needs a template. Deactivate the rule before you delete its last "
                        "template."
                    )
                    % {"rule": rule}
                )
        return deleted, counts, missing, protected

    @admin.action(description=_("Send me a test"), permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Template]) -> None:
        recipient = getattr(request.user, "email", "")
        if not recipient:
            message = _("Your account has no e-mail address, so the test message can't be sent.")
            self.message_user(request, message, messages.ERROR)
            return
        for template in self.apply_to_each(
            request, queryset, lambda template: send_test_message(template, recipient=recipient)
        ):
            self.message_user(request, f"{template} → {recipient}", messages.SUCCESS)

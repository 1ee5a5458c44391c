"""The admin page for the e-mail branding: colour, logo and a preview."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminColorInputWidget, UnfoldAdminFileFieldWidget, UnfoldBooleanWidget

from hotelagent.admin.base import SettingsPageAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from reminders.admin.previews import render_preview_frame
from reminders.errors import InvalidColour, InvalidLogo
from reminders.mail import rendering
from reminders.mail.images import MAX_BYTES, Logo, read_logo
from reminders.models import EmailBranding, Template
from reminders.services import emails as service
from tenants.context import current_hotel


class EmailBrandingForm(forms.ModelForm):  # type: ignore[type-arg]
    new_logo = forms.FileField(
        label=_("Logo"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/png,image/jpeg"}),
        help_text=_("PNG or JPEG, up to 200 kB. The logo is displayed 48 pixels high on a white background."),
    )
    remove_logo = forms.BooleanField(label=_("Remove the logo"), required=False, widget=UnfoldBooleanWidget())

    class Meta:
        model = EmailBranding
        fields = ["colour"]
        widgets = {"colour": UnfoldAdminColorInputWidget()}

    def clean_colour(self) -> str:
        try:
            return service.normalize_colour(self.cleaned_data["colour"])
        except InvalidColour as error:
            raise ValidationError(error.detail) from error

    def clean_new_logo(self) -> Logo | None:
        upload = self.cleaned_data["new_logo"]
        if upload is None:
            return None
        try:
            return read_logo(upload.read(MAX_BYTES + 1))
        except InvalidLogo as error:
            raise ValidationError(error.detail) from error


@admin.register(EmailBranding, site=hotel_site)
class EmailBrandingAdmin(SettingsPageAdmin):
    """The admin page for the e-mail branding. Each hotel has exactly one branding, so there is no list page."""

    icon = "palette"
    menu_group = Group.EMAILS
    menu_order = 30
    tab_of = "admin:reminders_rule_changelist"
    form = EmailBrandingForm
    fields = ["colour", "new_logo", "remove_logo", "preview"]
    readonly_fields = ["preview"]

    @display(description=_("preview"))
    def preview(self, _branding: EmailBranding) -> SafeString | str:
        """Return an HTML preview of a hotel e-mail with the saved branding."""
        template = rendering.select_template(Template.objects.all(), languages=[current_hotel().language])
        if template is None:
            return "-"
        return render_preview_frame(template)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: Any = None
    ) -> EmailBranding | None:
        if object_id != "1":
            return None
        return EmailBranding.of_current_hotel()

    def save_model(self, request: HttpRequest, obj: EmailBranding, form: Any, change: bool) -> None:
        cleaned = form.cleaned_data
        if "colour" in form.changed_data:
            service.set_colour(colour=cleaned["colour"])
        if cleaned["new_logo"] or cleaned["remove_logo"]:
            service.set_logo(logo=cleaned["new_logo"])

    def response_change(self, request: HttpRequest, obj: EmailBranding) -> HttpResponse:
        self.message_user(
            request, _("The branding was saved. New e-mails will use this branding."), messages.SUCCESS
        )
        return HttpResponseRedirect(request.path)

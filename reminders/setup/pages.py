"""The admin page about the hotel's e-mails: their sender, the reply address, and a test e-mail."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from hotelagent.admin.sites import hotel_site
from hotelagent.admin.views import require_scopes
from hotelagent.core.domains import sender
from reminders.mail import rendering
from reminders.models import Template
from reminders.services.emails import send_test_message, set_reply_address
from reminders.setup.cards import SCOPE, STYLESHEET
from tenants.context import current_hotel
from tenants.errors import DomainError
from tenants.languages import language_name
from tenants.models import Hotel


class ReplyAddressForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("Reply address"),
        required=False,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "email"}),
        help_text=gettext_lazy("Leave blank if guests cannot reply to the hotel's e-mails."),
    )


class TestEmailForm(forms.Form):
    template = forms.ModelChoiceField(
        label=gettext_lazy("Reminder"), queryset=Template.objects.none(), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = Template.objects.select_related("rule").order_by("rule__order", "rule_id", "language")
        field: Any = self.fields["template"]
        field.queryset = templates
        field.empty_label = None
        field.label_from_instance = lambda template: f"{template.rule} · {language_name(template.language)}"
        field.initial = rendering.select_template(templates, languages=[current_hotel().language])


def sender_view(request: HttpRequest) -> HttpResponse:
    """Show the sender of the hotel's e-mails, and save the reply address."""
    require_scopes(request, SCOPE)
    email = Hotel.objects.values_list("email", flat=True).get(pk=cast("UUID", current_hotel().id))
    form = ReplyAddressForm(request.POST or None, initial={"email": email}, label_suffix="")
    if request.method == "POST" and form.is_valid():
        set_reply_address(email=form.cleaned_data["email"])
        messages.success(request, _("The reply address was saved. New e-mails will use it."))
        return HttpResponseRedirect(reverse("admin:reminders_sender"))
    return _page(request, form=form, email=email)


def test_email_view(request: HttpRequest) -> HttpResponse:
    """Send the selected template to the person who is logged in, and show whether the mail server accepted it."""
    require_scopes(request, SCOPE)
    form = TestEmailForm(request.POST)
    recipient = getattr(request.user, "email", "")
    if request.method == "POST" and recipient and form.is_valid():
        try:
            send_test_message(form.cleaned_data["template"], recipient=recipient)
        except DomainError as error:
            messages.error(
                request, _("The test e-mail was not sent: %(error)s") % {"error": error.detail or error.title}
            )
        else:
            text = _(
                "The mail server accepted the test e-mail to %(recipient)s. If it does not arrive within a few "
                "minutes, look in the spam folder."
            )
            messages.success(request, text % {"recipient": recipient})
    return HttpResponseRedirect(reverse("admin:reminders_sender"))


def _page(request: HttpRequest, *, form: ReplyAddressForm, email: str) -> HttpResponse:
    account: Any = request.user
    return TemplateResponse(
        request,
        "reminders/sender.html",
        {
            **hotel_site.each_context(request),
            "title": _("Reply address"),
            "form": form,
            "test_form": TestEmailForm(label_suffix=""),
            "has_templates": Template.objects.exists(),
            "sender": sender(current_hotel().name),
            "reply_to": email,
            "recipient": account.email,
            "account_url": reverse("admin:tenants_user_change", args=[account.pk])
            if "staff:write" in account.scopes
            else "",
            "templates_url": reverse("admin:reminders_rule_changelist"),
            "stylesheet": STYLESHEET,
        },
    )

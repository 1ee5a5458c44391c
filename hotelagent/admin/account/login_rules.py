"""The page "Login rules" of a hotel, on which a manager requires two-factor authentication of all staff."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldBooleanSwitchWidget

from hotelagent.admin.account.reauthentication import require_confirmation
from hotelagent.admin.views import require_scopes
from tenants.context import current_hotel
from tenants.models import Hotel, User
from tenants.services import account

#: The scope that is required to open the page "Login rules".
SCOPE = "staff:write"


class LoginRulesForm(forms.Form):
    require_two_factor = forms.BooleanField(
        label=gettext_lazy("Require two-factor authentication"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy(
            "All staff must set up two-factor authentication with an authenticator app at their next visit. Until "
            "then, they can open no other page."
        ),
    )


def login_rules(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the form with the rules, or save them."""
    require_scopes(request, SCOPE)
    if request.method == "POST" and (page := require_confirmation(request, site)):
        return page
    hotel = Hotel.objects.get(slug=current_hotel().slug)
    form = LoginRulesForm(
        request.POST if request.method == "POST" else None,
        initial={"require_two_factor": hotel.require_two_factor},
    )
    if form.is_valid():
        account.require_two_factor(required=form.cleaned_data["require_two_factor"])
        messages.success(request, _("The settings were saved."))
        return HttpResponseRedirect(reverse("admin:login_rules"))
    staff = User.objects.filter(is_active=True)
    context = {
        **site.each_context(request),
        "title": _("Login rules"),
        "form": form,
        "staff_count": staff.count(),
        "without_count": staff.filter(totp_secret=None).count(),
    }
    return TemplateResponse(request, "hotelagent/account/login_rules.html", context)

"""The pages about the invitation of a hotel's first manager.

The platform's staff invite the manager on the platform's host. The manager accepts the invitation on the hotel's host.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from hotelagent.admin.account.reauthentication import require_confirmation
from hotelagent.admin.sites import hotel_site
from tenants import services
from tenants.access.invitations import accept_invitation, find_invitation, has_manager
from tenants.access.passwords import MAX_LENGTH
from tenants.errors import DomainError, InvalidPassword, InvitationNotFound, UsernameConflict
from tenants.models import Hotel, HotelStatus, ManagerInvitation, User


class AcceptForm(forms.Form):
    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "username", "autofocus": True}),
    )
    full_name = forms.CharField(
        label=_("Full name"),
        max_length=150,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=_("Password"),
        min_length=settings.MIN_PASSWORD_LENGTH,
        max_length=MAX_LENGTH,
        strip=False,
        help_text=_("Use 12 to 256 characters. A few random words are easy to remember and hard to guess."),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    repeated = forms.CharField(
        label=_("Repeat the password"),
        max_length=MAX_LENGTH,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "password" in cleaned and "repeated" in cleaned and cleaned["password"] != cleaned["repeated"]:
            self.add_error("repeated", _("The two passwords are different."))
        return cleaned


@never_cache
@sensitive_post_parameters("password", "repeated", "token")
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest) -> HttpResponse:
    """Show the form for the account of the hotel's first manager. On POST, create the account and log in.

    A GET request changes nothing, because virus scanners open the links in e-mails.
    """
    token = (request.POST if request.method == "POST" else request.GET).get("token", "")
    form = AcceptForm(request.POST if request.method == "POST" else None)
    try:
        invitation = find_invitation(token)
        if form.is_valid() and (user := _accept(form, token)):
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return HttpResponseRedirect(reverse("admin:index"))
    except InvitationNotFound as error:
        return _page(request, {"problem": error.detail}, status=404)
    return _page(request, {"form": form, "token": token, "address": invitation.email}, status=200)


def _accept(form: AcceptForm, token: str) -> User | None:
    """Create the account. If the password or the user name cannot be used, add an error to the form."""
    cleaned = form.cleaned_data
    try:
        return accept_invitation(
            token=token,
            username=cleaned["username"],
            password=cleaned["password"],
            full_name=cleaned["full_name"],
        )
    except InvalidPassword as error:
        form.add_error("password", str(error.detail))
    except UsernameConflict as error:
        form.add_error("username", str(error.detail))
    return None


def _page(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    page = {**hotel_site.each_context(request), "title": _("Create your account"), **context}
    return TemplateResponse(request, "tenants/accept_invitation.html", page, status=status)


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail address of the manager"),
        widget=UnfoldAdminEmailInputWidget,
        help_text=_("The link in the e-mail can be used once and is valid for 7 days."),
    )


class InvitationMixin:
    """Mixin that adds the page for the invitation of the first manager to the admin of hotels.

    List the mixin before the model admin class.
    """

    def get_urls(self) -> list[Any]:
        admin: Any = self
        view = admin.admin_site.admin_view(self.invite_view)
        urls: list[Any] = super().get_urls()  # type: ignore[misc]
        return [path("<uuid:hotel_id>/invite/", view, name="tenants_hotel_invite"), *urls]

    def invite_view(self, request: HttpRequest, hotel_id: Any) -> HttpResponse:
        """Show the state of the invitation, and send the invitation on POST."""
        admin: Any = self
        if not admin.has_change_permission(request):
            raise PermissionDenied
        if request.method == "POST" and (page := require_confirmation(request, admin.admin_site)):
            return page
        hotel = get_object_or_404(Hotel, id=hotel_id)
        invitation = ManagerInvitation.objects.filter(hotel=hotel).first()
        form = InviteForm(request.POST or None, initial={"email": invitation.email if invitation else ""})
        if form.is_valid():
            try:
                services.invite_manager(hotel_id=hotel.pk, email=form.cleaned_data["email"])
            except DomainError as error:
                form.add_error(None, str(error.detail))
            else:
                admin.message_user(request, _sent_message(hotel), messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:tenants_hotel_change", args=[hotel.pk]))
        state, may_invite = manager_state(hotel)
        context = {
            **admin.admin_site.each_context(request),
            "opts": admin.opts,
            "title": _("Invite the first manager"),
            "hotel": hotel,
            "form": form,
            "state": state,
            "may_invite": may_invite,
            "is_repeated": invitation is not None,
        }
        return TemplateResponse(request, "tenants/invite_manager.html", context)


def _sent_message(hotel: Hotel) -> str:
    if hotel.status == HotelStatus.ACTIVE:
        return str(_("The invitation is sent within seconds."))
    return str(_("The invitation is sent when the hotel is active."))


def manager_state(hotel: Hotel) -> tuple[str, bool]:
    """Return a text about the hotel's manager or invitation, and whether the platform's staff may invite a manager.

    The staff may invite a manager if the hotel has no manager and is not suspended.
    """
    if hotel.status == HotelStatus.ACTIVE and has_manager(hotel.tenant):
        return str(_("The hotel has a manager.")), False
    invitation = ManagerInvitation.objects.filter(hotel=hotel).first()
    return _describe(invitation), hotel.status in {HotelStatus.PROVISIONING, HotelStatus.ACTIVE}


def _describe(invitation: ManagerInvitation | None) -> str:
    if invitation is None or invitation.accepted_at is not None:
        return str(_("The hotel has no manager, and nobody is invited."))
    if invitation.error:
        text = _("The invitation to {address} could not be sent ({error}). It is tried again.")
        return str(text).format(address=invitation.email, error=invitation.error)
    if invitation.sent_at is None or invitation.expires_at is None:
        return str(_("The invitation to {address} has not been sent yet.")).format(address=invitation.email)
    if invitation.expires_at <= timezone.now():
        return str(_("The invitation to {address} has expired.")).format(address=invitation.email)
    text = _("The invitation to {address} was sent on {sent} and is valid until {end} (UTC).")
    return str(text).format(
        address=invitation.email,
        sent=formats.date_format(invitation.sent_at, "DATETIME_FORMAT"),
        end=formats.date_format(invitation.expires_at, "DATETIME_FORMAT"),
    )

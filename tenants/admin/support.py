"""The pages with which the platform's staff act in a hotel.

On the platform's host, a person requests a support session of a hotel. The pages on the hotel's host open and end the
session.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from hotelagent.admin.account.reauthentication import require_confirmation
from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import platform_site
from tenants.access.support_user import SUPPORT_ROLES, support_user_of
from tenants.context import current_hotel
from tenants.errors import DomainError, SupportLinkNotFound
from tenants.host_routing import page_path, subdomain_url
from tenants.models import Hotel, SupportSession, User
from tenants.support.backend import BACKEND
from tenants.support.sessions import DURATIONS, MAX_REASON_LENGTH, end_session, open_session, request_session


class SupportForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_REASON_LENGTH,
        help_text=_(
            "The hotel's managers see the reason. Name the request of the hotel, for example a ticket."
        ),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    minutes = forms.TypedChoiceField(
        label=_("Duration"),
        coerce=int,
        choices=[(minutes, format_lazy(_("{minutes} minutes"), minutes=minutes)) for minutes in DURATIONS],
        initial=DURATIONS[0],
        widget=UnfoldAdminRadioSelectWidget,
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[
            (SUPPORT_ROLES[0], _("Auditor: can view everything and change nothing")),
            (SUPPORT_ROLES[1], _("Manager: can change everything except accounts and API keys")),
        ],
        initial=SUPPORT_ROLES[0],
        widget=UnfoldAdminRadioSelectWidget,
    )


class SupportMixin:
    """Mixin that adds the page on which a person requests a support session to the admin of hotels.

    List the mixin before the model admin class.
    """

    def get_urls(self) -> list[Any]:
        admin: Any = self
        view = admin.admin_site.admin_view(self.support_view)
        urls: list[Any] = super().get_urls()  # type: ignore[misc]
        return [path("<uuid:hotel_id>/support/", view, name="tenants_hotel_support"), *urls]

    def support_view(self, request: HttpRequest, hotel_id: Any) -> HttpResponse:
        """Show the form. On POST, create the support session and show its link, which can be used once."""
        admin: Any = self
        if not admin.has_change_permission(request) or not isinstance(request.user, User):
            raise PermissionDenied
        hotel = get_object_or_404(Hotel, id=hotel_id)
        if request.method == "POST" and (page := require_confirmation(request, admin.admin_site)):
            return page
        form = SupportForm(request.POST or None)
        context = {
            **admin.admin_site.each_context(request),
            "opts": admin.opts,
            "title": _("Open this hotel's admin"),
            "hotel": hotel,
            "form": form,
        }
        if form.is_valid():
            try:
                session, token = request_session(hotel_id=hotel.pk, person=request.user, **form.cleaned_data)
            except DomainError as error:
                form.add_error(None, str(error.detail))
            else:
                link = f"{subdomain_url(hotel.tenant)}{page_path(hotel.tenant, 'support')}?token={token}"
                context |= {"session": session, "link": link, "role": session.get_role_display()}
        return TemplateResponse(request, "tenants/request_support.html", context)


# A GET request opens the session, because the platform's page must not send forms to other hosts (form-action in
# hotelagent/csp.py). Only the person who requested the session has the link, and the link is valid for a minute.
@never_cache
@require_GET
def open_support(request: HttpRequest) -> HttpResponse:
    """Open the support session of the link, and redirect to the start page of the hotel's admin."""
    try:
        user = open_session(request.GET.get("token", ""))
    except SupportLinkNotFound as error:
        context = {"name": current_hotel().name, "detail": error.detail}
        return TemplateResponse(request, "tenants/support_refused.html", context, status=error.status)
    request.session.flush()
    request.session[SESSION_KEY], request.session[BACKEND_SESSION_KEY] = str(user.pk), BACKEND
    rotate_token(request)
    return HttpResponseRedirect(reverse("admin:index"))


@never_cache
@require_POST
def end_support(request: HttpRequest) -> HttpResponse:
    """End the support session of the request, and show that it has ended."""
    if user := support_user_of(request):
        end_session(user)
    request.session.flush()
    return HttpResponseRedirect(reverse("support_ended"))


@never_cache
@require_GET
def support_ended(request: HttpRequest) -> HttpResponse:
    """Show that the support session has ended."""
    return TemplateResponse(request, "tenants/support_ended.html", {"name": current_hotel().name})


urlpatterns = [
    path("", open_support, name="support"),
    path("end/", end_support, name="support_end"),
    path("ended/", support_ended, name="support_ended"),
]


@admin.register(SupportSession, site=platform_site)
class SupportSessionAdmin(ReadOnlyModelAdmin):
    icon = "support_agent"
    menu_group = Group.ACCESS
    menu_order = 40
    list_display = ("created_at", "hotel", "person", "role", "reason", "state", "expires_at")
    list_select_related = ("hotel",)
    list_filter = ("role",)
    search_fields = ("hotel__name", "hotel__slug", "reason")
    ordering = ("-id",)
    fields = ("hotel", "person", "role", "reason", "created_at", "opened_at", "expires_at", "ended_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SupportSession]:
        name = User.objects.filter(pk=OuterRef("user_id")).values("username")[:1]
        queryset: QuerySet[SupportSession] = super().get_queryset(request)
        return queryset.annotate(person_name=Subquery(name))

    @display(description=_("person"))
    def person(self, session: Any) -> str:
        return str(session.person_name or session.user_id)

    @display(description=_("status"), label={"open": "warning", "unused": "default", "ended": "success"})
    def state(self, session: SupportSession) -> tuple[str, str]:
        if session.ended_at or session.expires_at <= timezone.now():
            return "ended", str(_("access ended"))
        if session.opened_at:
            return "open", str(_("in use"))
        return "unused", str(_("not opened"))

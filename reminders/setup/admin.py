"""The admin pages of the set-up: the checklist, and the sender with the test e-mail."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from hotelagent.admin.base import ChangesAuditedByServices, ReadOnlyModelAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from hotelagent.admin.views import is_own_url, require_scopes
from reminders.setup import services
from reminders.setup.cards import CONFIRM, HIDE, RESUME, SCOPE, SHOW, SKIP, STYLESHEET, checklist
from reminders.setup.models import SetupProgress
from reminders.setup.pages import sender_view, test_email_view
from reminders.setup.steps import CONFIRMABLE, SetupStep

_STEP_OPERATIONS = {
    CONFIRM: services.confirm_step,
    SKIP: services.skip_step,
    RESUME: services.resume_step,
}


@admin.register(SetupProgress, site=hotel_site)
class SetupAdmin(ChangesAuditedByServices, ReadOnlyModelAdmin):
    """The admin page with the checklist of the set-up.

    The start page shows the same checklist until it is complete or hidden.
    """

    icon = "checklist"
    menu_group = Group.SETUP
    menu_order = 20
    tab_of = "admin:locks_room_changelist"
    stylesheets = (STYLESHEET,)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("act/", view(self.act_view), name="reminders_setup_act"),
            path("sender/", view(sender_view), name="reminders_sender"),
            path("sender/test/", view(test_email_view), name="reminders_sender_test"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return SCOPE in getattr(request.user, "scopes", ())

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        require_scopes(request, SCOPE)
        return TemplateResponse(
            request,
            "reminders/setup_page.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Set-up checklist"),
                "panel": checklist(is_page=True),
                "stylesheet": STYLESHEET,
            },
        )

    def act_view(self, request: HttpRequest) -> HttpResponse:
        """Confirm, skip or resume a step, or hide or show the checklist, and redirect to the previous page."""
        require_scopes(request, SCOPE)
        target = request.POST.get("next", "")
        if not is_own_url(request, target):
            target = reverse("admin:reminders_setupprogress_changelist")
        operation, step = request.POST.get("operation"), request.POST.get("step")
        if operation in {HIDE, SHOW}:
            services.set_checklist_hidden(is_hidden=operation == HIDE)
        elif operation in _STEP_OPERATIONS and step in (
            CONFIRMABLE if operation == CONFIRM else list(SetupStep)
        ):
            _STEP_OPERATIONS[operation](SetupStep(str(step)))
        return HttpResponseRedirect(target)

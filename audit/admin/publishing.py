"""The admin page "Publication": the newest checkpoint, where it was published, and the address of the auditor."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.publishing import states, status
from audit.publishing.auditors import change_auditor
from audit.publishing.models import Auditor
from hotelagent.admin.base import SettingsPageAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.context import current_tenant

#: Maximum number of failed publications that the platform's page lists.
MAX_FAILURES = 100


@admin.register(Auditor, site=hotel_site)
@admin.register(Auditor, site=platform_site)
class AuditorAdmin(SettingsPageAdmin):
    """The admin page for the publication of the current tenant's audit trail.

    The platform's page also lists the failed publications of all trails. Only the platform's page shows the errors of
    the directory and of the URL, because these errors name files and hosts of the platform.
    """

    icon = "verified"
    menu_group = Group.ACCESS
    menu_order = 10
    tab_of = "admin:audit_event_changelist"
    fields = ["email", "language"]
    stylesheets = ("audit/trail.css",)
    change_form_outer_before_template = "audit/publishing.html"

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        tenant = current_tenant()
        log, last = status.own_trail() or (None, None)
        return {
            "log": log,
            "checkpoint": last,
            "targets": status.target_statuses(log, Auditor.objects.read()),
            "public_errors": [target for target in status.TARGETS if tenant.is_platform] or [states.EMAIL],
            "is_platform": tenant.is_platform,
            "failures": status.find_failures(MAX_FAILURES) if tenant.is_platform else [],
            "max_failures": MAX_FAILURES,
        }

    def save_model(self, request: HttpRequest, obj: Auditor, form: Any, change: bool) -> None:
        change_auditor(email=obj.email, language=obj.language)

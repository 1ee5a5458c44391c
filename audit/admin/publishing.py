"""The admin page "Publication": the newest checkpoint, where it was published, and the address of the auditor."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from audit.publishing import states, status
from audit.publishing.auditors import change_auditor
from audit.publishing.models import Auditor
from hotelagent.admin.base import ChangesAuditedByServices, HotelModelAdmin
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.context import current_tenant

#: Maximum number of failures of other trails that the platform's page lists.
MAX_FAILURES = 100


@admin.register(Auditor, site=hotel_site)
@admin.register(Auditor, site=platform_site)
class AuditorAdmin(ChangesAuditedByServices, HotelModelAdmin):
    """The admin page for the publication of the current tenant's audit trail. There is no list page.

    The platform's page also lists the failed publications of all trails. Only the platform's page shows the errors of
    the directory and of the URL, because these errors name files and hosts of the platform.
    """

    icon = "verified"
    menu_order = 10
    fields = ["email", "language"]
    stylesheets = ("audit/trail.css",)
    change_form_outer_before_template = "audit/publishing.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        tenant = current_tenant()
        sealed = status.own_trail()
        log, last = sealed or (None, None)
        context = {
            "log": log,
            "checkpoint": last,
            "targets": status.target_statuses(log, Auditor.objects.read()),
            "public_errors": [target for target in status.TARGETS if tenant.is_platform] or [states.EMAIL],
            "is_platform": tenant.is_platform,
            "failures": status.find_failures(MAX_FAILURES) if tenant.is_platform else [],
            "max_failures": MAX_FAILURES,
        }
        page: HttpResponse = self.change_view(
            request, "1", extra_context={**context, **(extra_context or {})}
        )
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Auditor | None:
        return Auditor.objects.read() if object_id == "1" else None

    def save_model(self, request: HttpRequest, obj: Auditor, form: Any, change: bool) -> None:
        change_auditor(email=obj.email, language=obj.language)

    def response_change(self, request: HttpRequest, obj: Auditor) -> HttpResponse:
        self.message_user(request, _("The settings were saved."), messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

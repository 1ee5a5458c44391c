"""The page of the platform's admin for the logs of the audit trails, with their retention period and legal hold."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from audit.retention.services import change_retention
from audit.sealing.models import Log
from hotelagent.admin.base import ChangesAuditedByServices, PlatformModelAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import platform_site
from tenants.models import Hotel


class RetentionForm(forms.ModelForm):  # type: ignore[type-arg]
    reason = forms.CharField(
        label=_("reason for the change"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Required if you change a value. The audit trail keeps the reason."),
    )

    class Meta:
        model = Log
        fields = ["keep_days", "legal_hold"]


@admin.register(Log, site=platform_site)
class LogAdmin(ChangesAuditedByServices, PlatformModelAdmin):
    icon = "inventory_2"
    menu_group = Group.ACCESS
    menu_order = 20
    tab_of = "admin:audit_event_changelist"
    form = RetentionForm
    list_display = ["hotel_name", "origin", "size", "first_kept", "keep_days", "legal_hold", "closed_at"]
    list_display_links = ["hotel_name"]
    list_filter = ["legal_hold"]
    search_fields = ["origin"]
    ordering = ["-created_at"]
    shown = ("origin", "size", "first_kept", "retention_problem", "verification_detail", "closed_at")
    fields = ("keep_days", "legal_hold", "reason", *shown)
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[Log]:
        logs: QuerySet[Log] = super().get_queryset(request)
        return logs.annotate(name=Subquery(Hotel.objects.filter(pk=OuterRef("hotel_id")).values("name")))

    @admin.display(description=_("hotel"))
    def hotel_name(self, log: Any) -> str:
        """Return the name of the hotel. For the platform's log or a deleted hotel, return the kind of the log."""
        return log.name or (str(_("Platform")) if log.hotel_id is None else str(_("deleted hotel")))

    def save_model(self, request: HttpRequest, obj: Log, form: Any, change: bool) -> None:
        values = form.cleaned_data
        change_retention(
            obj, keep_days=values["keep_days"], legal_hold=values["legal_hold"], reason=values["reason"]
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Log | None = None) -> bool:
        return (obj is None or obj.closed_at is None) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""Failures in both admins: what failed and why, the attempts, and what a person can do about it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from dlq import services, subjects
from dlq.models import Attempt, Failure, Status
from dlq.subjects import Subject
from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.sites import hotel_site, platform_site

COLOURS = {
    Status.SCHEDULED: "info",
    Status.RETRYING: "warning",
    Status.RESOLVED: "success",
    Status.PERMANENT: "danger",
    Status.DISCARDED: "default",
}


class ReasonForm(ActionForm):  # type: ignore[misc]
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("Reason, to discard")}),
    )


class AttemptInline(TabularInline):  # type: ignore[misc]
    model = Attempt
    fields = ["number", "outcome", "started_at", "ended_at", "error_type", "message"]
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_count = True

    @display(description=_("message"))
    def message(self, attempt: Attempt) -> str:
        return attempt.why

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Failure, site=hotel_site)
@admin.register(Failure, site=platform_site)
class FailureAdmin(ReadOnlyModelAdmin):
    icon = "error"
    menu_order = 0
    list_display = [
        "what",
        "state",
        "why",
        "group",
        "next_retry_at",
        "last_seen_at",
    ]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("fingerprint", FieldTextFilter),
        ("last_seen_at", RangeDateTimeFilter),
    ]
    list_filter_submit = True
    search_fields = ["name", "error_message", "=fingerprint"]
    ordering = ["-id"]
    inlines = [AttemptInline]
    actions = ["retry", "discard"]
    action_form = ReasonForm
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "status",
                    "name",
                    "kind",
                    "source",
                    "group",
                    "attempts",
                    "occurrences",
                    "discard_reason",
                ]
            },
        ),
        (_("Error"), {"fields": ["error_type", "message", "stack"]}),
        (_("Payload"), {"fields": ["payload"]}),
        (
            _("Times"),
            {"fields": ["created_at", "last_seen_at", "next_retry_at", "expires_at"]},
        ),
    ]

    change_form_outer_before_template = "dlq/act.html"

    @display(description=_("what"), ordering="name")
    def what(self, failure: Failure) -> str:
        subject: Subject | None = getattr(failure, "subject", None)
        return subject.title if subject else failure.name

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)
        found = subjects.find(page.result_list)
        for failure in page.result_list:
            failure.subject = found.get(failure.id)
        return page

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        failure: Failure = context["original"]
        subject = subjects.find([failure]).get(failure.id)
        waits = failure.status in services.WAITING
        asked_for = {
            "subject": subject,
            "advice": _("Correct what is wrong there first, then send it again.")
            if waits and subject
            else "",
            "may_act": waits and self.has_act_permission(request),
            "list_url": reverse(f"{self.admin_site.name}:dlq_failure_changelist"),
        }
        page: HttpResponse = super().render_change_form(request, {**context, **asked_for}, *args, **kwargs)
        return page

    @display(description=_("status"), label=COLOURS, ordering="status")
    def state(self, failure: Failure) -> tuple[str, str]:
        return failure.status, failure.get_status_display()

    @display(description=_("why"), ordering="error_type")
    def why(self, failure: Failure) -> str:
        often = f" ({failure.occurrences}x)" if failure.occurrences > 1 else ""
        text = f"{failure.error_type.rpartition('.')[2]}: {failure.why}"
        return Truncator(text).chars(120) + often

    @display(description=_("message"))
    def message(self, failure: Failure) -> str:
        return failure.why

    @display(description=_("group"), ordering="fingerprint")
    def group(self, failure: Failure) -> SafeString:
        """Leads to all failures that a person would call the same."""
        url = reverse(f"{self.admin_site.name}:dlq_failure_changelist")
        return format_html(
            '<a class="font-mono underline" href="{}?fingerprint={}">{}</a>',
            url,
            failure.fingerprint,
            failure.fingerprint[:8],
        )

    @display(description=_("traceback"))
    def stack(self, failure: Failure) -> SafeString:
        return format_html('<pre class="overflow-x-auto text-xs whitespace-pre">{}</pre>', failure.traceback)

    @admin.action(description=_("Send again"), permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Failure]) -> None:
        done = len(
            self.apply_to_each(request, queryset, lambda failure: services.retry(failure_id=failure.id))
        )
        if done:
            text = (
                ngettext("%d will be sent again in a moment.", "%d will be sent again in a moment.", done)
                % done
            )
            self.message_user(request, text, messages.SUCCESS)

    @admin.action(description=_("Discard"), permissions=["act"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Failure]) -> None:
        reason = request.POST.get("reason", "").strip()[:300]
        if not reason:
            self.message_user(request, _("Say why: write the reason beside the action."), messages.ERROR)
            return
        done = len(
            self.apply_to_each(
                request, queryset, lambda failure: services.discard(failure_id=failure.id, reason=reason)
            )
        )
        if done:
            self.message_user(
                request, ngettext("%d discarded.", "%d discarded.", done) % done, messages.SUCCESS
            )

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dlq.change_failure"))

"""The admin of failures on both sites: pages with the error and its attempts, and actions to retry or discard."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from dlq import services
from dlq.admin.figures import daily_chart
from dlq.groups.models import FailureGroup
from dlq.kinds.subjects import Subject, find_subjects
from dlq.models import WAITING_STATUSES, Attempt, Failure, FailureStatus
from dlq.payloads import find_payload_problems
from dlq.retries import ordering
from hotelagent.admin.base import ReadOnlyModelAdmin
from hotelagent.admin.sites import hotel_site, platform_site

STATUS_COLOURS = {
    FailureStatus.SCHEDULED: "info",
    FailureStatus.RETRYING: "warning",
    FailureStatus.IN_DOUBT: "danger",
    FailureStatus.RESOLVED: "success",
    FailureStatus.PERMANENT: "danger",
    FailureStatus.DISCARDED: "default",
}


class DiscardForm(ActionForm):  # type: ignore[misc]
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("Reason for discarding")}),
    )


class AttemptInline(TabularInline):  # type: ignore[misc]
    model = Attempt
    fields = [
        "number",
        "outcome",
        "started_at",
        "ended_at",
        "error_type",
        "message",
        "worker",
        "code_version",
    ]
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_count = True

    @display(description=_("message"))
    def message(self, attempt: Attempt) -> str:
        return attempt.localized_message

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Failure, site=hotel_site)
@admin.register(Failure, site=platform_site)
class FailureAdmin(ReadOnlyModelAdmin):
    icon = "error"
    menu_order = 0
    stylesheets = ("dlq/failures.css",)
    list_before_template = "dlq/chart.html"
    list_display = [
        "subject_title",
        "status_badge",
        "error_summary",
        "group",
        "next_retry_at",
        "last_seen_at",
    ]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        "is_task",
        ("fingerprint", FieldTextFilter),
        ("last_seen_at", RangeDateTimeFilter),
    ]
    list_filter_submit = True
    search_fields = ["name", "error_message", "=fingerprint"]
    ordering = ["-id"]
    inlines = [AttemptInline]
    actions = ["retry", "discard"]
    action_form = DiscardForm
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "status",
                    "waiting_reason",
                    "name",
                    "is_task",
                    "source",
                    "group",
                    "retries",
                    "occurrences",
                    "discard_reason",
                    "task_id",
                    "request_id",
                ]
            },
        ),
        (_("Error"), {"fields": ["error_type", "message", "formatted_traceback"]}),
        (_("Payload"), {"fields": ["payload", "payload_problems"]}),
        (
            _("Times"),
            {"fields": ["created_at", "last_seen_at", "next_retry_at", "expires_at"]},
        ),
    ]

    change_form_outer_before_template = "dlq/actions.html"

    @display(description=_("name"), ordering="name")
    def subject_title(self, failure: Failure) -> str:
        subject: Subject | None = getattr(failure, "subject", None)
        return subject.title if subject else failure.name

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page: HttpResponse = super().changelist_view(
            request, {"panel": daily_chart(), **(extra_context or {})}
        )
        return page

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        subjects = find_subjects(changelist.result_list)
        for failure in changelist.result_list:
            failure.subject = subjects.get(failure.id)
        return changelist

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        failure: Failure = context["original"]
        subject = find_subjects([failure]).get(failure.id)
        is_waiting = failure.status in WAITING_STATUSES
        actions_context = {
            "subject": subject,
            "advice": _("Open the linked page and fix the cause before you retry.")
            if is_waiting and subject
            else "",
            "may_act": is_waiting and self.has_act_permission(request),
            "list_url": reverse(f"{self.admin_site.name}:dlq_failure_changelist"),
        }
        response: HttpResponse = super().render_change_form(
            request, {**context, **actions_context}, *args, **kwargs
        )
        return response

    @display(description=_("status"), label=STATUS_COLOURS, ordering="status")
    def status_badge(self, failure: Failure) -> tuple[str, str]:
        return failure.status, failure.get_status_display()

    @display(description=_("error"), ordering="error_type")
    def error_summary(self, failure: Failure) -> str:
        occurrences = f" ({failure.occurrences}x)" if failure.occurrences > 1 else ""
        text = f"{failure.error_type.rpartition('.')[2]}: {failure.localized_message}"
        return Truncator(text).chars(120) + occurrences

    def get_queryset(self, request: HttpRequest) -> QuerySet[Failure]:
        failures: QuerySet[Failure] = super().get_queryset(request).with_waits_for()
        return failures

    @display(description=_("waiting for"))
    def waiting_reason(self, failure: Failure) -> str:
        return ordering.waiting_reason(failure)

    @display(description=_("message"))
    def message(self, failure: Failure) -> str:
        return failure.localized_message

    @display(description=_("payload problems"), empty_value="-")
    def payload_problems(self, failure: Failure) -> SafeString:
        """Return a line for each reason why the payload does not match the schema of its kind."""
        return format_html_join(
            mark_safe("<br>"), "{}", ([problem] for problem in find_payload_problems(failure))
        )

    @display(description=_("group"), ordering="fingerprint")
    def group(self, failure: Failure) -> SafeString:
        """Return a link to the list of all failures with the same fingerprint as this failure."""
        url = reverse(f"{self.admin_site.name}:dlq_failure_changelist")
        return format_html(
            '<a class="font-mono underline" href="{}?fingerprint={}">{}</a>',
            url,
            failure.fingerprint,
            failure.fingerprint[:8],
        )

    @display(description=_("traceback"))
    def formatted_traceback(self, failure: Failure) -> SafeString:
        group = FailureGroup.objects.filter(fingerprint=failure.fingerprint)
        traceback = group.values_list("traceback", flat=True).first()
        return format_html('<pre class="overflow-x-auto text-xs whitespace-pre">{}</pre>', traceback or "")

    @admin.action(description=_("Retry"), permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Failure]) -> None:
        count = len(
            self.apply_to_each(request, queryset, lambda failure: services.retry(failure_id=failure.id))
        )
        if count:
            text = ngettext(
                "%d failure will be retried shortly.", "%d failures will be retried shortly.", count
            )
            self.message_user(request, text % count, messages.SUCCESS)

    @admin.action(description=_("Discard"), permissions=["act"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Failure]) -> None:
        reason = request.POST.get("reason", "").strip()[:300]
        if not reason:
            self.message_user(request, _("Enter a reason for discarding."), messages.ERROR)
            return
        count = len(
            self.apply_to_each(
                request, queryset, lambda failure: services.discard(failure_id=failure.id, reason=reason)
            )
        )
        if count:
            text = ngettext("%d failure was discarded.", "%d failures were discarded.", count)
            self.message_user(request, text % count, messages.SUCCESS)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dlq.change_failure"))

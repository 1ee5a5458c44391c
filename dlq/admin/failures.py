"""The admin of failures on both sites: pages with the error and its attempts, and actions to retry or discard."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    TextFilter,
)
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminTextInputWidget

from dlq import services
from dlq.admin import searches
from dlq.admin.erasure import ErasureMixin
from dlq.admin.explanations import work_label
from dlq.admin.exports import ExportMixin
from dlq.admin.failure_page import FailurePage
from dlq.events import ERRORS
from dlq.groups.models import FailureGroup
from dlq.kinds.subjects import find_subjects
from dlq.models import Failure, FailureStatus
from hotelagent.admin.filters import PeriodFilter
from hotelagent.admin.lists import EmptyList, HotelChangeList
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site, platform_site

STATUS_COLOURS = {
    FailureStatus.SCHEDULED: "info",
    FailureStatus.RETRYING: "warning",
    FailureStatus.IN_DOUBT: "danger",
    FailureStatus.RESOLVED: "success",
    FailureStatus.PERMANENT: "danger",
    FailureStatus.DISCARDED: "default",
}


#: Maximum number of names of failures that the filter of the list offers.
MAX_NAMES = 100


class DiscardForm(ActionForm):  # type: ignore[misc]
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("Reason for discarding")}),
    )


class WorkFilter(DropdownFilter):  # type: ignore[misc]
    """A filter by the name of the failed work.

    The names are read from the table of groups, which is much smaller than the table of failures.
    """

    title = _("work")
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = FailureGroup.objects.order_by("name").values_list("name", flat=True).distinct()
        return [(name, work_label(name)) for name in names[:MAX_NAMES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Failure]) -> QuerySet[Failure]:
        return queryset.filter(name=self.value()) if self.value() else queryset


class GroupFilter(TextFilter):  # type: ignore[misc]
    """A filter by the fingerprint of the group.

    The whole fingerprint must be entered, because the index cannot find a part.
    """

    title = _("group")
    parameter_name = "fingerprint"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Failure]) -> QuerySet[Failure]:
        return queryset.filter(fingerprint=self.value().strip()) if self.value() else queryset


@admin.register(Failure, site=hotel_site)
@admin.register(Failure, site=platform_site)
class FailureAdmin(ErasureMixin, ExportMixin, FailurePage):
    icon = "error"
    menu_group = Group.PROBLEMS
    menu_order = 10
    tab_of = "admin:dlq_failuregroup_changelist"
    stylesheets = ("dlq/failures.css", "dlq/failure.css")
    list_before_template = "dlq/failures_before.html"
    list_display = ["what", "status_badge", "error_summary", "last_seen_at", "next_retry_at"]
    # The list of failures cannot be sorted by a column, because the table has no index for such an order.
    # The list of failures is sorted by the primary key.
    sortable_by = ()
    list_filter = [
        searches.FailureViews,
        ("status", ChoicesDropdownFilter),
        WorkFilter,
        ("last_seen_at", PeriodFilter),
        GroupFilter,
        searches.SearchedFailures,
    ]
    list_filter_submit = True
    search_fields = ["name", "error_message", "=fingerprint"]
    search_help_text = _("Search in the error messages and in the names of tasks and messages")
    ordering = ["-id"]
    paginator = InfinitePaginator  # Django's default paginator is slow, because it counts all failures.
    show_full_result_count = False
    actions = ["retry", "discard"]
    action_form = DiscardForm
    fieldsets = [
        (
            _("Details"),
            {
                "fields": [
                    ("name", "source"),
                    ("occurrences", "retries"),
                    ("created_at", "expires_at"),
                    ("group", "error_type"),
                    ("task_id", "request_id"),
                    "formatted_traceback",
                ]
            },
        ),
    ]

    @display(description=_("what failed"))
    def what(self, failure: Failure) -> str:
        return failure.title or work_label(failure.name)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "redrives_url": reverse(f"{self.admin_site.name}:dlq_redrive_changelist"),
            "redrive_url": self._redrive_url(request, "retry") if self.has_act_permission(request) else "",
            "erase_url": reverse("admin:dlq_failure_erase") if self.has_erase_permission(request) else "",
        }
        page: HttpResponse = super().changelist_view(request, {**context, **(extra_context or {})})
        return page

    def _redrive_url(self, request: HttpRequest, action: str) -> str:
        """Return the URL of the page for a redrive job of all failures that match the filter of the list."""
        query = searches.query_with_view(request, self)
        query["action"] = action
        return f"{reverse(f'{self.admin_site.name}:dlq_redrive_start')}?{query.urlencode()}"

    def get_empty_list(self, change_list: HotelChangeList) -> EmptyList:
        return searches.empty_list_of(change_list, f"{self.admin_site.name}:dlq_failure_changelist")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list of failures, with titles such as "Reminder for Ana Lima".

        A search reads only the newest failures. The last page of a search has a link that searches all failures. The
        attribute `query_for_all` is the query string of this link.
        """
        changelist = super().get_changelist_instance(request)
        if self._displays_list(request) and len(changelist.result_list) < changelist.list_per_page:
            changelist.query_for_all = searches.query_for_all(request.GET)
            changelist.max_searched = searches.MAX_SEARCHED
        subjects = find_subjects(changelist.result_list)
        for failure in changelist.result_list:
            if subject := subjects.get(failure.id):
                failure.title = subject.title
        return changelist

    @display(description=_("status"), label=STATUS_COLOURS)
    def status_badge(self, failure: Failure) -> tuple[str, str]:
        return failure.status, failure.get_status_display()

    @display(description=_("error"))
    def error_summary(self, failure: Failure) -> str:
        occurrences = f" ({failure.occurrences}x)" if failure.occurrences > 1 else ""
        error = ERRORS.get(failure.error_type) or failure.error_type.rpartition(".")[2]
        text = capfirst(f"{error}: {failure.localized_message}")
        return Truncator(text).chars(120) + occurrences

    def _displays_list(self, request: HttpRequest) -> bool:
        """Return whether the request displays the list of failures.

        The search limit applies to such requests only: actions and exports also process failures that the list leaves
        out.
        """
        return request.method == "GET" and self.is_list_request(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Failure]:
        failures: QuerySet[Failure] = super().get_queryset(request).with_waits_for()
        if self._displays_list(request):
            failures = failures.filter(searches.search_limit(request.GET))
        return failures

    @display(description=_("group"))
    def group(self, failure: Failure) -> SafeString:
        """Return a link to the page of the group."""
        url = reverse(f"{self.admin_site.name}:dlq_failuregroup_change", args=[failure.fingerprint])
        return format_html('<a class="underline" href="{}">{}</a>', url, _("All failures with this error"))

    @display(description=_("traceback"))
    def formatted_traceback(self, failure: Failure) -> SafeString:
        group = FailureGroup.objects.filter(fingerprint=failure.fingerprint)
        traceback = group.values_list("traceback", flat=True).first()
        return format_html('<pre class="overflow-x-auto text-xs whitespace-pre">{}</pre>', traceback or "")

    @admin.action(description=_("Retry"), permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Failure]) -> HttpResponse | None:
        if request.POST.get("select_across") == "1":
            return HttpResponseRedirect(self._redrive_url(request, "retry"))
        count = len(
            self.apply_to_each(request, queryset, lambda failure: services.retry(failure_id=failure.id))
        )
        if count:
            text = ngettext(
                "%d failure will be retried shortly.", "%d failures will be retried shortly.", count
            )
            self.message_user(request, text % count, messages.SUCCESS)
        return None

    @admin.action(description=_("Discard"), permissions=["act"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Failure]) -> HttpResponse | None:
        if request.POST.get("select_across") == "1":
            return HttpResponseRedirect(self._redrive_url(request, "discard"))
        reason = request.POST.get("reason", "").strip()[:300]
        if not reason:
            self.message_user(request, _("Enter a reason for discarding."), messages.ERROR)
            return None
        count = len(
            self.apply_to_each(
                request, queryset, lambda failure: services.discard(failure_id=failure.id, reason=reason)
            )
        )
        if count:
            text = ngettext("%d failure was discarded.", "%d failures were discarded.", count)
            self.message_user(request, text % count, messages.SUCCESS)
        return None

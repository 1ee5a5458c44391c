"""The admin pages of groups of failures. The list is the first page of the dead-letter queue."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from dlq import services
from dlq.admin.daily_chart import daily_chart
from dlq.admin.group_pages import chart_of, describe_counts, describe_mute, form_choices, perform, state_of
from dlq.admin.searches import SHARED_VIEWS, empty_list_of
from dlq.groups import counts, state, titles
from dlq.groups.models import FailureGroup, GroupState
from dlq.kinds.subjects import find_subjects
from dlq.models import Failure
from dlq.redrives import services as redrives
from dlq.redrives.services import RedriveOptions
from dlq.selection import FailureSelection
from dlq.selectors import waiting_failures
from hotelagent.admin.base import MAX_SELECTED, ChangesAuditedByServices, ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList, HotelChangeList, ViewFilter
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.errors import DomainError

STATE_COLOURS = {
    GroupState.OPEN: "warning",
    GroupState.REGRESSED: "danger",
    GroupState.ACKNOWLEDGED: "info",
    GroupState.MUTED: "default",
    "resolved": "success",
}
#: The page of a group lists at most this number of failures.
LATEST = 10
FINGERPRINT_LENGTH = 16


class GroupViews(ViewFilter):
    """The views of the list of groups. The list opens with the groups that wait for a person."""

    title = _("failures")
    views = (*SHARED_VIEWS, ("all", _("All groups")))

    def rows_of_view(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "decision":
                return counts.with_decisions(queryset)
            case "retrying":
                return counts.with_retries(queryset)
            case "done":
                return counts.without_open_failures(queryset)
        return queryset


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(GroupState.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(FailureGroup, site=hotel_site)
@admin.register(FailureGroup, site=platform_site)
class GroupAdmin(ChangesAuditedByServices, ReadOnlyModelAdmin):
    icon = "error"
    menu_group = Group.PROBLEMS
    menu_order = 0
    item_title = _("Failures")
    stylesheets = ("dlq/failures.css",)
    list_before_template = "dlq/chart.html"
    list_display = ["what", "failures", "days", "last_seen_at", "state_badge", "assigned_to"]
    list_display_links = None
    list_filter = [GroupViews, StateFilter, ("assigned_to", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["assigned_to"]
    search_fields = ["name", "error_message", "=fingerprint"]
    ordering = ["-last_seen_at", "fingerprint"]
    sortable_by = ["last_seen_at"]
    actions = ["acknowledge"]

    def get_queryset(self, request: HttpRequest) -> Any:
        groups: Any = FailureGroup.objects.with_state().defer("traceback")
        return groups.visible() if self.is_list_request(request) else groups

    def get_empty_list(self, change_list: HotelChangeList) -> EmptyList:
        return empty_list_of(change_list, "admin:dlq_failuregroup_changelist")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list of groups. Add the counts and the subject of the latest failure to each group."""
        changelist = super().get_changelist_instance(request)
        shown = list(changelist.result_list)
        known = counts.counts_of(shown, with_days=True)
        latest = _latest_failures(shown)
        subjects = find_subjects(latest.values())
        for group in shown:
            group.counts = known[group.pk]
            failure = latest.get(group.pk)
            group.subject = subjects.get(failure.id) if failure else None
        changelist.result_list = shown
        return changelist

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"panel": daily_chart(), **(extra_context or {})})

    @display(description=_("what happened"))
    def what(self, group: Any) -> str:
        context = {
            "title": titles.title_of(group),
            "cause": titles.cause_of(group),
            "subject": group.subject,
            "url": reverse("admin:dlq_failuregroup_change", args=[group.pk]),
            "note": group.note,
        }
        return render_to_string("dlq/group_summary.html", context)

    @display(description=_("failures"))
    def failures(self, group: Any) -> str:
        return render_to_string("dlq/group_counts.html", describe_counts(group, group.counts))

    @display(description=_("by day"))
    def days(self, group: Any) -> str:
        return render_to_string("dlq/group_days.html", {"bars": chart_of(group.counts)})

    @display(description=_("state"), label=STATE_COLOURS)
    def state_badge(self, group: Any) -> tuple[str, str]:
        return state_of(group, group.counts)

    @admin.action(description=_("Acknowledge"), permissions=["act"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[FailureGroup]) -> None:
        for group in queryset:
            state.acknowledge(fingerprint=group.pk)
        self.message_user(request, _("The groups were acknowledged."), messages.SUCCESS)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dlq.change_failure"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the page of a group. A POST request performs one operation and redirects back to the page."""
        groups = FailureGroup.objects.with_state().select_related("assigned_to")
        group = groups.filter(pk=object_id).first() if len(object_id) == FINGERPRINT_LENGTH else None
        if group is None:
            raise Http404
        may_act = self.has_act_permission(request)
        if not self.has_view_permission(request, group):
            raise PermissionDenied
        if request.method == "POST":
            if not may_act:
                raise PermissionDenied
            self._act(request, group)
            return HttpResponseRedirect(request.path)
        return TemplateResponse(
            request, "dlq/group.html", self._page_context(request, group, may_act=may_act)
        )

    def _page_context(self, request: HttpRequest, group: Any, *, may_act: bool) -> dict[str, Any]:
        known = counts.counts_of([group], with_days=True)[group.pk]
        latest = list(Failure.objects.filter(fingerprint=group.pk).order_by("-id")[:LATEST])
        subjects = find_subjects(latest)
        joined = FailureGroup.objects.filter(joined_to=group.pk).order_by("created_at", "pk")
        code, label = state_of(group, known)
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "group": group,
            "title": titles.title_of(group),
            "cause": titles.cause_of(group),
            "has_open": known.open > 0 or not known.is_known,
            "numbers": describe_counts(group, known),
            "bars": chart_of(known),
            "state": code,
            "state_label": label,
            "state_colour": STATE_COLOURS[code],
            "mute": describe_mute(group),
            "latest": [(failure, subjects.get(failure.id)) for failure in latest],
            "may_act": may_act,
            "choices": form_choices(group) if may_act else None,
            "joined": [(other.pk, titles.cause_of(other)) for other in joined],
            "show_history": request.user.has_perm("audit.view_event"),
            "list_url": reverse("admin:dlq_failuregroup_changelist"),
            "failures_url": f"{reverse('admin:dlq_failure_changelist')}?fingerprint={group.pk}",
        }

    def _act(self, request: HttpRequest, group: FailureGroup) -> None:
        operation = request.POST.get("operation")
        if operation in {"retry", "discard"}:
            self._apply_to_failures(request, group, operation)
            return
        try:
            text = perform(group, request.POST)
        except DomainError as error:
            self.message_user(request, str(error.detail), messages.ERROR)
            return
        if text:
            self.message_user(request, text, messages.SUCCESS)

    def _apply_to_failures(self, request: HttpRequest, group: FailureGroup, operation: str) -> None:
        """Retry or discard the waiting failures of the group.

        If the group has many waiting failures, start a redrive (a background job) instead.
        """
        reason = request.POST.get("reason", "").strip()[:300]
        if operation == "discard" and not reason:
            self.message_user(request, _("Enter a reason for discarding."), messages.ERROR)
            return
        failures = list(waiting_failures(fingerprint=group.pk).only("id")[: MAX_SELECTED + 1])
        if len(failures) > MAX_SELECTED:
            options = RedriveOptions(
                action=operation, discard_reason=reason if operation == "discard" else ""
            )
            redrives.start(selection=FailureSelection(fingerprint=group.pk), options=options)
            started = _("All open failures of the group are being processed. This can take a few minutes.")
            self.message_user(request, started, messages.SUCCESS)
            return

        def apply(failure: Failure) -> None:
            if operation == "retry":
                services.retry(failure_id=failure.id)
            else:
                services.discard(failure_id=failure.id, reason=reason)

        count = len(self.apply_to_each(request, failures, apply))
        if operation == "retry":
            text = ngettext(
                "%d failure will be retried shortly.", "%d failures will be retried shortly.", count
            )
        else:
            text = ngettext("%d failure was discarded.", "%d failures were discarded.", count)
        if count:
            self.message_user(request, text % count, messages.SUCCESS)


def _latest_failures(groups: list[FailureGroup]) -> dict[str, Failure]:
    """Return the newest failure of each group. The index on the fingerprint finds each failure in one search."""
    newest = Failure.objects.filter(fingerprint=OuterRef("pk")).order_by("-id").values("id")[:1]
    ids = FailureGroup.objects.filter(pk__in=[group.pk for group in groups]).values_list(
        Subquery(newest), flat=True
    )
    failures = Failure.objects.filter(id__in=list(ids))
    return {failure.fingerprint: failure for failure in failures}

"""The admin of redrive jobs on both sites: a preview with a form, the progress, and the result of each failure."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from dlq.admin.explanations import work_label
from dlq.admin.redrive_filters import describe_filter, selection_of
from dlq.errors import InvalidSelection
from dlq.kinds.subjects import find_subjects
from dlq.redrives import services
from dlq.redrives.models import UNFINISHED_STATUSES, Redrive, RedriveAction, RedriveResult, RedriveStatus
from dlq.redrives.results import Entries
from dlq.redrives.services import RedriveOptions
from hotelagent.admin.base import ChangesAuditedByServices, ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList, NextStep
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.errors import DomainError

STATUS_COLOURS = {
    RedriveStatus.CANARY: "info",
    RedriveStatus.RUNNING: "info",
    RedriveStatus.PAUSED: "warning",
    RedriveStatus.FINISHED: "success",
    RedriveStatus.STOPPED: "danger",
    RedriveStatus.CANCELLED: "default",
}
PAGE_SIZE = 50


class OptionsForm(forms.Form):
    """The form for the options of a redrive job.

    By default, five failures are retried first, and the redrive stops if more than half of the retries fail.
    """

    action = forms.ChoiceField(
        label=_("What to do"),
        choices=[
            (RedriveAction.RETRY, _("Retry the failures")),
            (RedriveAction.DISCARD, _("Discard the failures")),
        ],
        initial=RedriveAction.RETRY,
    )
    discard_reason = forms.CharField(
        label=_("Reason for discarding"),
        max_length=300,
        required=False,
        help_text=_("A reason is needed only to discard failures."),
    )
    canary = forms.IntegerField(
        label=_("Retry first"),
        min_value=0,
        max_value=1000,
        required=False,
        initial=5,
        help_text=_(
            "Number of failures to retry first. The other failures are retried only if all of these retries succeed. "
            "Leave blank to retry all failures immediately."
        ),
    )
    max_failure_rate = forms.IntegerField(
        label=_("Stop if more than this percentage of the retries fails"),
        min_value=0,
        max_value=100,
        required=False,
        initial=50,
        help_text=_("Leave blank to continue even if all retries fail."),
    )
    rate = forms.IntegerField(
        label=_("Retries per minute"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=_("Leave blank for no limit."),
    )
    confirm_in_doubt = forms.BooleanField(
        label=_("Also retry work that may already have been done"),
        required=False,
        help_text=_(
            "Work that was already done is done again. For example, a guest may receive an e-mail twice."
        ),
    )

    def options(self) -> RedriveOptions:
        data = self.cleaned_data
        if data["action"] == RedriveAction.DISCARD:
            return RedriveOptions(action=RedriveAction.DISCARD, discard_reason=data["discard_reason"].strip())
        return RedriveOptions(
            confirm_in_doubt=data["confirm_in_doubt"],
            rate=data["rate"],
            canary=data["canary"] or 0,
            max_failure_rate=data["max_failure_rate"],
        )


@admin.register(Redrive, site=hotel_site)
@admin.register(Redrive, site=platform_site)
class RedriveAdmin(ChangesAuditedByServices, ReadOnlyModelAdmin):
    icon = "replay"
    menu_group = Group.PROBLEMS
    menu_order = 20
    tab_of = "admin:dlq_failuregroup_changelist"
    stylesheets = ("dlq/failures.css",)
    list_display = ["started_at", "what", "status_badge", "progress", "requested_by"]
    list_filter = [("status", ChoicesDropdownFilter)]
    ordering = ["-id"]
    empty_list = EmptyList(
        _(
            "There are no redrives yet. A redrive retries or discards many failures. Open the list of failures, filter "
            "the list, and choose “Retry or discard all matching failures”."
        ),
        (NextStep(_("Show failures"), "admin:dlq_failure_changelist", scope="dlq:read", icon="error"),),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Redrive jobs are started from the list of failures, so the list of redrives has no button to add one.
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        raise PermissionDenied

    def may_act(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dlq.change_failure"))

    def get_urls(self) -> list[Any]:
        start = path("start/", self.admin_site.admin_view(self.start_view), name="dlq_redrive_start")
        return [start, *super().get_urls()]

    @display(description=_("failures"))
    def what(self, redrive: Redrive) -> str:
        return f"{redrive.get_action_display()}: {describe_filter(redrive.selection)}"

    @display(description=_("status"), label=STATUS_COLOURS)
    def status_badge(self, redrive: Redrive) -> tuple[str, str]:
        return redrive.status, redrive.get_status_display()

    @display(description=_("progress"))
    def progress(self, redrive: Redrive) -> str:
        return ", ".join(f"{count} {label}" for label, count in counts_of(redrive) if count) or "-"

    @display(description=_("requested by"))
    def requested_by(self, redrive: Redrive) -> str:
        return redrive.actor_label

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Preview and start a redrive job. The filter in the query string selects the failures."""
        list_url = reverse(f"{self.admin_site.name}:dlq_failure_changelist")
        if not self.may_act(request):
            raise Http404
        try:
            selection = selection_of(request.GET)
        except InvalidSelection as error:
            self.message_user(request, str(error.detail), messages.ERROR)
            return HttpResponseRedirect(f"{list_url}?{request.GET.urlencode()}")
        form = OptionsForm(request.POST or None, initial={"action": request.GET.get("action", "retry")})
        if request.method == "POST" and form.is_valid():
            try:
                redrive = services.start(selection=selection, options=form.options())
            except DomainError as error:
                form.add_error(None, str(error.detail))
            else:
                return HttpResponseRedirect(reverse("admin:dlq_redrive_change", args=[redrive.pk]))
        preview = services.preview(selection=selection, options=RedriveOptions())
        subjects = find_subjects(preview.sample)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Retry or discard all matching failures"),
            "filter": describe_filter(selection.as_json()),
            "preview": preview,
            "refused": [
                (RedriveResult(reason).label, count) for reason, count in (preview.refused or {}).items()
            ],
            "sample": [
                (failure, subjects.get(failure.id), work_label(failure.name)) for failure in preview.sample
            ],
            "form": form,
            "list_url": f"{list_url}?{request.GET.urlencode()}",
        }
        return TemplateResponse(request, "dlq/redrive_start.html", context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the progress and the results of a redrive job, and pause, resume or cancel it."""
        redrive: Redrive | None = self.get_object(request, object_id or "")
        if redrive is None or not self.has_view_permission(request, redrive):
            raise Http404
        if request.method == "POST":
            self._act(request, redrive)
            return HttpResponseRedirect(request.get_full_path())
        return TemplateResponse(request, "dlq/redrive.html", self._context(request, redrive))

    def _act(self, request: HttpRequest, redrive: Redrive) -> None:
        operations = {"pause": services.pause, "resume": services.resume, "cancel": services.cancel}
        operation = operations.get(request.POST.get("operation", ""))
        if operation is None or not self.may_act(request):
            raise Http404
        try:
            operation(redrive_id=redrive.pk)
        except DomainError as error:
            self.message_user(request, str(error.detail), messages.ERROR)

    def _context(self, request: HttpRequest, redrive: Redrive) -> dict[str, Any]:
        wanted = request.GET.get("result", "")
        results = frozenset({wanted}) & frozenset(RedriveResult.values)
        entries = Entries(redrive, results)
        if before := _failure_id(request.GET.get("before", "")):
            entries = entries.filter(pk__lt=before)
        page = entries[0 : PAGE_SIZE + 1]
        shown = page[:PAGE_SIZE]
        subjects = find_subjects([entry.failure for entry in shown])
        done = redrive.succeeded + redrive.failed + redrive.discarded + redrive.refused_count
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Redrive"),
            "redrive": redrive,
            "filter": describe_filter(redrive.selection),
            "is_unfinished": redrive.status in UNFINISHED_STATUSES,
            "done": done,
            "counts": counts_of(redrive),
            "refused": [(RedriveResult(reason).label, count) for reason, count in redrive.refused.items()],
            "requested_by": self.requested_by(redrive),
            "may_act": self.may_act(request),
            "entries": [(entry, subjects.get(entry.pk), work_label(entry.failure.name)) for entry in shown],
            "choices": RedriveResult.choices,
            "wanted": wanted,
            "next": urlencode({"result": wanted, "before": str(shown[-1].pk)})
            if len(page) > PAGE_SIZE
            else "",
            "list_url": reverse("admin:dlq_redrive_changelist"),
        }


def counts_of(redrive: Redrive) -> list[tuple[str, int]]:
    """Return how many failures of the redrive job have each result, as pairs of a label and a number. Omit zeros."""
    pending = redrive.scheduled - redrive.succeeded - redrive.failed
    counts = [
        (pgettext("number of failures", "succeeded"), redrive.succeeded),
        (pgettext("number of failures", "failed"), redrive.failed),
        (gettext("still waiting for a result"), pending),
        (gettext("withdrawn"), redrive.withdrawn),
        (pgettext("number of failures", "discarded"), redrive.discarded),
        (gettext("refused"), redrive.refused_count),
    ]
    return [(label, count) for label, count in counts if count]


def _failure_id(text: str) -> str:
    return text if len(text) == 36 and set(text) <= set("0123456789abcdef-") else ""

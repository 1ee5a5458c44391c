"""The page of a failure: what happened, its payload and attempts, and the form that corrects the payload."""

import json
from copy import copy
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from dlq.admin.correction_form import CorrectionForm, is_editable
from dlq.admin.explanations import explain
from dlq.admin.payload_tree import is_cut, path_title, payload_tree
from dlq.corrections.declared_fields import keys_of, mask_secrets
from dlq.corrections.display import ShownPayload, show_payload
from dlq.corrections.services import correct_and_retry, current_payload
from dlq.errors import InvalidPayload
from dlq.kinds.registry import Kind, find_kind
from dlq.kinds.subjects import find_subjects
from dlq.models import WAITING_STATUSES, Attempt, Failure
from dlq.payloads import find_payload_problems
from hotelagent.admin.base import ReadOnlyModelAdmin
from tenants.errors import DomainError

#: Texts with more characters than this are cut in the table of corrected fields.
MAX_DIFFERENCE_LENGTH = 500
_NOTHING = object()


class FailurePage(ReadOnlyModelAdmin):
    """The base class of the admin of failures, with the page that shows one failure."""

    change_form_outer_before_template = "dlq/failure.html"

    def get_urls(self) -> list[URLPattern]:
        urls = [
            path("<uuid:failure_id>/correct/", self._view(self.correct_view), name="dlq_failure_correct"),
            path("<uuid:failure_id>/payload.json", self._view(self.payload_view), name="dlq_failure_payload"),
        ]
        return [*urls, *super().get_urls()]

    def _view(self, view: Any) -> Any:
        return self.admin_site.admin_view(view)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dlq.change_failure"))

    def has_payload_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dlq.view_payload"))

    def may_correct(self, request: HttpRequest) -> bool:
        return self.has_act_permission(request) and self.has_payload_permission(request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        failure: Failure = context["original"]
        shown = show_payload(failure, may_view=self.has_payload_permission(request))
        subject = find_subjects([failure]).get(failure.id)
        is_waiting = failure.status in WAITING_STATUSES
        form = context.get("correction_form")
        if form is None and is_waiting and self.may_correct(request):
            form = _correction_form(failure)
        explanation = explain(failure, subject, may_correct=form is not None)
        failure.title = explanation.title
        tree = payload_tree(shown.current, find_kind(failure.name))
        page_context = {
            "subtitle": explanation.title,
            "subject": subject,
            "explanation": explanation,
            "correction_form": form,
            "may_act": is_waiting and self.has_act_permission(request),
            "list_url": reverse(f"{self.admin_site.name}:dlq_failure_changelist"),
            "payload": shown,
            "payload_tree": tree,
            "payload_is_cut": is_cut(tree),
            "payload_problems": find_payload_problems(failure),
            "differences": _differences(shown, find_kind(failure.name)),
            "attempts": _attempts(failure),
        }
        response: HttpResponse = super().render_change_form(
            request, {**context, **page_context}, *args, **kwargs
        )
        return response

    def correct_view(self, request: HttpRequest, failure_id: Any) -> HttpResponse:
        """Correct the payload and retry the failure. Show the page again if the corrected payload is not valid."""
        failure = self._get_failure(request, failure_id)
        if not self.may_correct(request):
            raise PermissionDenied
        page = HttpResponseRedirect(reverse(f"{self.admin_site.name}:dlq_failure_change", args=[failure_id]))
        form = _correction_form(failure, request.POST)
        if request.method != "POST" or form is None:
            return page
        if form.is_valid():
            try:
                correct_and_retry(
                    failure_id=failure.id,
                    may_change=lambda version: version == form.cleaned_data["version"],
                    change=form.corrected,
                )
            except InvalidPayload as error:
                form.add_payload_errors(error)
            except DomainError as error:
                self.message_user(request, str(error.detail), messages.ERROR)
                return page
            else:
                self.message_user(
                    request,
                    _("The corrected data were saved. The failure will be retried shortly."),
                    messages.SUCCESS,
                )
                return page
        # `change_view` refuses POST requests, so it is called with a GET request to show the errors of the form.
        get_request = copy(request)
        get_request.method = "GET"
        response: HttpResponse = self.change_view(
            get_request, str(failure.id), extra_context={"correction_form": form}
        )
        return response

    def payload_view(self, request: HttpRequest, failure_id: Any) -> HttpResponse:
        """Return the payload as a JSON file."""
        failure = self._get_failure(request, failure_id)
        shown = show_payload(failure, may_view=self.has_payload_permission(request))
        return HttpResponse(
            json.dumps(shown.current, ensure_ascii=False, indent=2),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{failure_id}.json"'},
        )

    def _get_failure(self, request: HttpRequest, failure_id: Any) -> Failure:
        if not self.has_view_permission(request):
            raise PermissionDenied
        failure: Failure | None = self.get_queryset(request).filter(id=failure_id).first()
        if failure is None:
            raise Http404
        return failure


def _correction_form(failure: Failure, data: Any = None) -> CorrectionForm | None:
    """Return the form that corrects the payload, or None if the payload is too long for a form."""
    kind = find_kind(failure.name)
    payload = mask_secrets(kind, current_payload(failure))
    if not is_editable(kind, payload):
        return None
    return CorrectionForm(data, kind=kind, payload=payload, initial={"version": failure.version})


def _differences(shown: ShownPayload, kind: Kind) -> list[dict[str, str]]:
    """Return the corrected fields with their values before and after the correction."""
    differences = []
    for operation in shown.patch or []:
        keys = keys_of(operation["path"])
        before = _value_at(shown.original, keys)
        after = operation.get("value", _NOTHING)
        if "from" in operation:
            before = _value_at(shown.original, keys_of(operation["from"]))
            after = before
        titles = [path_title(kind, keys[: position + 1]) for position in range(len(keys))]
        differences.append(
            {"field": " / ".join(titles) or _("Data"), "before": _text(before), "after": _text(after)}
        )
    return differences


def _value_at(payload: Any, keys: list[str]) -> Any:
    for key in keys:
        if isinstance(payload, list) and key.isdecimal() and int(key) < len(payload):
            payload = payload[int(key)]
        elif isinstance(payload, dict) and key in payload:
            payload = payload[key]
        else:
            return _NOTHING
    return payload


def _text(value: Any) -> str:
    if value is _NOTHING:
        return "-"
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "…"
    return text if len(text) <= MAX_DIFFERENCE_LENGTH else f"{text[:MAX_DIFFERENCE_LENGTH]}…"


def _attempts(failure: Failure) -> list[Attempt]:
    """Return the attempts, latest first, each with its duration in seconds, or None if the attempt has not ended."""
    attempts = list(failure.attempts.order_by("-number"))
    for attempt in attempts:
        ended = attempt.ended_at
        vars(attempt)["seconds"] = (ended - attempt.started_at).total_seconds() if ended else None
    return attempts

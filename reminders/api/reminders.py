"""/api/v1/reminders/: e-mails to guests."""

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.lists import changes
from hotelagent.rest.lists.csv_export import CsvExportMixin
from hotelagent.rest.lists.filters import TimeFilter
from hotelagent.rest.schema import problem_responses
from reminders import selectors
from reminders.api.serializers import ReminderSerializer, SettleReminderSerializer
from reminders.models import Reminder, ReminderStatus
from reminders.services.reminders import cancel_reminder, send_now, settle_unknown

_STATE_ERROR = problem_responses(
    (409, "Not allowed in the current status (`/problems/reminder-state-error`).")
)
_TIME_ZONE = "A value without an offset (`2031-07-01T09:00:00`, `2031-07-01`) is in UTC."


class ReminderFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=ReminderStatus.choices)
    planned_from = TimeFilter(
        field_name="planned_for", lookup_expr="gte", help_text=f"Planned at or after this time. {_TIME_ZONE}"
    )
    planned_until = TimeFilter(
        field_name="planned_for", lookup_expr="lt", help_text=f"Planned before this time. {_TIME_ZONE}"
    )
    updated_since = changes.ChangesFilter()
    # These filters compare ids. A ModelChoiceFilter would return an error if no object has the requested id.
    rule = django_filters.UUIDFilter(field_name="rule_id")
    reservation = django_filters.UUIDFilter(field_name="reservation_id")

    class Meta:
        model = Reminder
        fields = ["status", "skip_reason", "arrival"]


class ReminderViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, CsvExportMixin):
    """The reminders of the hotel, which are e-mails to guests, including skipped, cancelled and failed reminders."""

    queryset = selectors.reminders()
    personal_data = "reminder"
    export_name = "reminders"
    pagination_class = changes.ChangesPagination
    serializer_class = ReminderSerializer
    filterset_class = ReminderFilter
    required_scopes = {"GET": "reminders:read", "POST": "reminders:write"}

    @extend_schema(request=None, responses={200: ReminderSerializer, **_STATE_ERROR})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a scheduled reminder."""
        cancel_reminder(reminder_id=self.get_object().id)
        return self._reminder_response()

    @extend_schema(
        operation_id="sendReminderNow", request=None, responses={202: ReminderSerializer, **_STATE_ERROR}
    )
    @action(detail=True, methods=["post"], url_path="send-now")
    def send_now(self, request: Request, pk: str) -> Response:
        """Send a reminder as soon as a worker is free."""
        send_now(reminder_id=self.get_object().id)
        return self._reminder_response(status.HTTP_202_ACCEPTED)

    @extend_schema(request=SettleReminderSerializer, responses={200: ReminderSerializer, **_STATE_ERROR})
    @action(detail=True, methods=["post"])
    def settle(self, request: Request, pk: str) -> Response:
        """Record whether a reminder with the status `unknown` was sent."""
        serializer = SettleReminderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        settle_unknown(reminder_id=self.get_object().id, was_sent=serializer.validated_data["was_sent"])
        return self._reminder_response()

    def _reminder_response(self, status_code: int = status.HTTP_200_OK) -> Response:
        return Response(ReminderSerializer(self.get_object()).data, status=status_code)

"""/api/v1/dlq/: failures of this place: report one, look through them, send one again, or discard it."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import BaseSerializer

from dlq import services
from dlq.models import Failure, Kind, Status
from dlq.reports import reported
from dlq.serializers import DiscardSerializer, FailureDetailSerializer, FailureSerializer, ReportSerializer
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import HotelViewSet

REFUSALS = problem_responses(
    (409, "It is being retried, resolved or discarded already (`/problems/failure-state-error`).")
)


class FailureFilter(django_filters.FilterSet):  # type: ignore[misc]
    status = django_filters.MultipleChoiceFilter(choices=Status.choices)
    since = django_filters.IsoDateTimeFilter(field_name="last_seen_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="last_seen_at", lookup_expr="lt")

    class Meta:
        model = Failure
        fields = ["status", "kind", "source", "name", "fingerprint", "error_type", "since", "until"]


class FailureViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet):
    """What failed, why, and what was tried."""

    queryset = Failure.objects.all()
    filterset_class = FailureFilter
    required_scopes = {"GET": "dlq:read", "POST": "dlq:write"}

    def get_queryset(self) -> QuerySet[Failure]:
        found = super().get_queryset()
        return found if self.action == "list" else found.prefetch_related("tries")

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return FailureSerializer if self.action == "list" else FailureDetailSerializer

    @extend_schema(
        request=ReportSerializer, responses={201: FailureDetailSerializer, 200: FailureDetailSerializer}
    )
    def create(self, request: Request) -> Response:
        """Report a message that failed.

        The same failure of the same payload, while it is open, is one entry: the answer is then 200 and its
        `occurrences` has grown.
        """
        report = ReportSerializer(data=request.data)
        report.is_valid(raise_exception=True)
        given = report.validated_data
        failure = services.capture(
            kind=Kind.MESSAGE,
            source=given["source"],
            name=given["name"],
            payload=given["payload"],
            error=reported(
                type=given["error_type"], message=given["error_message"], traceback=given["traceback"]
            ),
            retry=given["retry"],
        )
        new = failure.occurrences == 1
        return Response(
            FailureDetailSerializer(failure).data,
            status=status.HTTP_201_CREATED if new else status.HTTP_200_OK,
        )

    @extend_schema(request=None, responses={202: FailureDetailSerializer, **REFUSALS})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Send a failure again as soon as a worker is free."""
        failure = self.get_object()
        services.retry(failure_id=failure.id)
        return Response(FailureDetailSerializer(self.get_object()).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=DiscardSerializer, responses={200: FailureDetailSerializer, **REFUSALS})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Close a failure that need not be sent again, with the reason."""
        failure = self.get_object()
        discard = DiscardSerializer(data=request.data)
        discard.is_valid(raise_exception=True)
        services.discard(failure_id=failure.id, reason=discard.validated_data["reason"])
        return Response(FailureDetailSerializer(self.get_object()).data)


router = SimpleRouter()
router.register("dlq", FailureViewSet, basename="failure")
urlpatterns = router.urls

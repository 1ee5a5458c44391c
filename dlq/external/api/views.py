"""The REST API with which other systems process failures, at /api/v1/dlq/entries/."""

import uuid
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from dlq.external import work
from dlq.external.api.serializers import (
    AcknowledgeFailureSerializer,
    ClaimedFailuresSerializer,
    ClaimFailuresSerializer,
    ExtendLeaseSerializer,
    FailedAttemptSerializer,
    FailureLeaseSerializer,
    FailureStateSerializer,
)
from dlq.kinds.namespaces import WORK_SCOPE
from dlq.models import Failure
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.views import UUID_REGEX, HotelViewSet

#: Value of the header `Retry-After` in seconds if no failure can be claimed.
RETRY_AFTER_EMPTY = 5
_STATE_ERROR = problem_responses(
    (409, "`/problems/attempt-state-error`: the attempt has ended or its lease has expired."),
    (404, "`/problems/failure-not-found`: the namespace of the API key has no such failure."),
)


def client_name(request: Request) -> str:
    """Return the name of the API key, or `staff` for requests with the session cookie of the admin."""
    return str(getattr(request.auth, "name", "staff"))


class ClaimViewSet(IdempotentMixin, HotelViewSet):
    """The endpoint at which handlers of other systems claim failures."""

    queryset = Failure.objects.all()
    required_scopes = {"POST": WORK_SCOPE}

    @extend_schema(
        operation_id="claimFailures",
        request=ClaimFailuresSerializer,
        responses={200: ClaimedFailuresSerializer},
        parameters=[
            OpenApiParameter(
                "Retry-After",
                int,
                OpenApiParameter.HEADER,
                response=[200],
                description="Number of seconds to wait before the next claim, if `entries` is empty.",
            )
        ],
    )
    @action(detail=False, methods=["post"])
    def claim(self, request: Request) -> Response:
        """Claim failures to process them.

        Returns due failures of the given kinds. The failures that have been due for the longest time come first. You
        get only failures that were reported with this API key, or with another API key that has the same name. The
        response contains the payloads as they were reported, so each claim is recorded in the audit trail.

        Process each failure, and acknowledge it or report that it failed, before `lease_until`. If you need more time,
        extend the lease. A failure whose lease has expired is retried if you claimed it with `idempotent`, and waits
        for a person otherwise.

        If nothing is due, `entries` is empty, and `Retry-After` is the number of seconds to wait. With an
        `Idempotency-Key`, you can repeat a claim whose response you did not receive.
        """
        values = _validated(ClaimFailuresSerializer(data=request.data))
        claimed = work.claim(
            client=client_name(request),
            kinds=values["kinds"],
            lease=timedelta(seconds=values["lease_seconds"]),
            limit=values["limit"],
            is_idempotent=values["idempotent"],
        )
        headers = {} if claimed else {"Retry-After": str(RETRY_AFTER_EMPTY)}
        return Response(ClaimedFailuresSerializer({"entries": claimed}).data, headers=headers)


class AttemptViewSet(HotelViewSet):
    """Attempts of other systems to process a failure.

    Repeated requests have no further effect, so these operations need no `Idempotency-Key`.
    """

    queryset = Failure.objects.all()
    lookup_value_regex = UUID_REGEX
    required_scopes = {"POST": WORK_SCOPE}

    @extend_schema(
        operation_id="extendFailureLease",
        request=ExtendLeaseSerializer,
        responses={200: FailureLeaseSerializer, **_STATE_ERROR},
    )
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Extend the lease of an attempt.

        The new lease begins now. If the response is 409, stop the work: another handler may process the failure.
        """
        values = _validated(ExtendLeaseSerializer(data=request.data))
        lease_until = work.extend(
            client=client_name(request),
            failure_id=uuid.UUID(pk),
            number=values["fencing_token"],
            lease=timedelta(seconds=values["lease_seconds"]),
        )
        lease = {"id": pk, "fencing_token": values["fencing_token"], "lease_until": lease_until}
        return Response(FailureLeaseSerializer(lease).data)

    @extend_schema(
        request=AcknowledgeFailureSerializer, responses={200: FailureStateSerializer, **_STATE_ERROR}
    )
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Report that the work is done. The failure is resolved.

        A success that is reported after the end of the lease is stored, too, because the work is done. If another
        attempt is already running, the success is stored and the response has the status 409.
        """
        values = _validated(AcknowledgeFailureSerializer(data=request.data))
        failure = work.acknowledge(
            client=client_name(request), failure_id=uuid.UUID(pk), number=values["fencing_token"]
        )
        return Response(FailureStateSerializer(failure).data)

    @extend_schema(
        operation_id="reportFailedAttempt",
        request=FailedAttemptSerializer,
        responses={200: FailureStateSerializer, **_STATE_ERROR},
    )
    @action(detail=True, methods=["post"])
    def fail(self, request: Request, pk: str) -> Response:
        """Report that the work failed again.

        The failure is scheduled for the next retry at `next_retry_at`. After three retries, or with `retry` false, the
        failure is permanent and waits for a person.
        """
        serializer = FailedAttemptSerializer(data=request.data)
        values = _validated(serializer)
        failure = work.fail(
            client=client_name(request),
            failure_id=uuid.UUID(pk),
            number=values["fencing_token"],
            error=serializer.error,
            retry=values["retry"],
        )
        return Response(FailureStateSerializer(failure).data)


def _validated(serializer: Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values

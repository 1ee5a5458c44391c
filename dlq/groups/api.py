"""The REST API of groups of failures, at /api/v1/dlq/groups/."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from dlq.groups import counts, splitting, state
from dlq.groups.models import FailureGroup, GroupState
from dlq.groups.serializers import (
    FINGERPRINT_REGEX,
    AnnotateFailureGroupSerializer,
    AssignFailureGroupSerializer,
    FailureGroupDetailSerializer,
    FailureGroupSerializer,
    JoinFailureGroupSerializer,
    MuteFailureGroupSerializer,
    SplitFailureGroupSerializer,
)
from dlq.groups.splitting import SplitCondition
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.lists.filters import TimeFilter
from hotelagent.rest.lists.pagination import NewestFirstPagination
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import HotelViewSet

CONFLICTS = problem_responses(
    (409, "`/problems/failure-group-conflict`: the rules of the groups do not allow the operation."),
    (422, "`/problems/invalid-split`: the condition is not valid."),
)


class GroupFilter(django_filters.FilterSet):  # type: ignore[misc]
    state = django_filters.MultipleChoiceFilter(choices=GroupState.choices, field_name="state")
    is_open = django_filters.BooleanFilter(
        method="filter_open",
        label=_("True: groups that may have open failures. False: groups without open failures."),
    )
    since = TimeFilter(field_name="last_seen_at", lookup_expr="gte")

    # The filter compares ids. A ModelChoiceFilter would return an error if no member of staff has the requested id.
    assigned_to = django_filters.UUIDFilter(field_name="assigned_to_id")

    class Meta:
        model = FailureGroup
        fields = ["state", "is_open", "name", "error_type", "assigned_to", "since"]

    def filter_open(self, queryset: Any, _name: str, value: bool) -> QuerySet[FailureGroup]:
        return counts.with_open_failures(queryset) if value else counts.without_open_failures(queryset)


class NewestGroupFirst(NewestFirstPagination):
    """Pagination by the time at which groups were first seen, newest first.

    The time of a group's first error never changes, so a group stays on its page while a client reads the pages. In an
    order by the latest error, each new error would move its group to the first page.
    """

    ordering = ("-created_at", "-fingerprint")  # type: ignore[assignment]


class GroupViewSet(IdempotentMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, HotelViewSet):
    """Groups of failures with the same cause. All operations can be repeated without a further effect."""

    queryset = FailureGroup.objects.all()
    filterset_class = GroupFilter
    pagination_class = NewestGroupFirst
    lookup_value_regex = FINGERPRINT_REGEX
    required_scopes = {"GET": "dlq:read", "POST": "dlq:write"}

    def get_queryset(self) -> QuerySet[FailureGroup]:
        groups = FailureGroup.objects.with_state()
        return groups.visible().defer("traceback") if self.action == "list" else groups

    def get_serializer_class(self) -> type[FailureGroupSerializer]:
        return FailureGroupSerializer if self.action == "list" else FailureGroupDetailSerializer

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the groups of failures, newest first. Groups that were joined to another group are left out."""
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self._serialize(page, many=True))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Retrieve a group of failures, with its traceback, its daily counts and its rules."""
        return self._detail()

    @extend_schema(request=None, responses=FailureGroupDetailSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Acknowledge a group. No alerts are sent for the group until its error occurs in a new code version."""
        state.acknowledge(fingerprint=self.get_object().pk)
        return self._detail()

    @extend_schema(request=None, responses=FailureGroupDetailSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Undo the acknowledgement of a group."""
        state.reopen(fingerprint=self.get_object().pk)
        return self._detail()

    @extend_schema(
        request=MuteFailureGroupSerializer,
        responses={
            200: FailureGroupDetailSerializer,
            **problem_responses(
                (422, "`/problems/invalid-mute`: `until` and `limit` are missing or out of range.")
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def mute(self, request: Request, pk: str) -> Response:
        """Mute a group until a time or until a number of further failures, whichever comes first."""
        state.mute(fingerprint=self.get_object().pk, **self._body(MuteFailureGroupSerializer))
        return self._detail()

    @extend_schema(request=None, responses=FailureGroupDetailSerializer)
    @action(detail=True, methods=["post"])
    def unmute(self, request: Request, pk: str) -> Response:
        """End the mute of a group."""
        state.unmute(fingerprint=self.get_object().pk)
        return self._detail()

    @extend_schema(
        request=AssignFailureGroupSerializer,
        responses={
            200: FailureGroupDetailSerializer,
            **problem_responses(
                (422, "`/problems/assignee-not-found`: no active member of staff has this id.")
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Assign a group to a member of staff, or to no one."""
        state.assign(
            fingerprint=self.get_object().pk, user_id=self._body(AssignFailureGroupSerializer)["user"]
        )
        return self._detail()

    @extend_schema(
        operation_id="annotateFailureGroup",
        request=AnnotateFailureGroupSerializer,
        responses=FailureGroupDetailSerializer,
    )
    @action(detail=True, methods=["post"])
    def note(self, request: Request, pk: str) -> Response:
        """Replace the note of a group."""
        state.annotate(
            fingerprint=self.get_object().pk, note=self._body(AnnotateFailureGroupSerializer)["note"]
        )
        return self._detail()

    @extend_schema(
        request=JoinFailureGroupSerializer, responses={200: FailureGroupDetailSerializer, **CONFLICTS}
    )
    @action(detail=True, methods=["post"])
    def join(self, request: Request, pk: str) -> Response:
        """Join a group to another group.

        The failures and all further errors of the group are assigned to the other group. If the group has many
        failures, the newest failures move immediately, and the remaining failures move in the background. Joining a
        group to the group that it was split from undoes the split.
        """
        splitting.join(fingerprint=self.get_object().pk, into=self._body(JoinFailureGroupSerializer)["into"])
        return self._detail()

    @extend_schema(request=None, responses={200: FailureGroupDetailSerializer, **CONFLICTS})
    @action(detail=True, methods=["post"])
    def separate(self, request: Request, pk: str) -> Response:
        """Undo the join of this group to another group.

        The failures and new errors of this group belong to this group again.
        """
        splitting.separate(fingerprint=self.get_object().pk)
        return self._detail()

    @extend_schema(
        request=SplitFailureGroupSerializer, responses={200: FailureGroupDetailSerializer, **CONFLICTS}
    )
    @action(detail=True, methods=["post"])
    def split(self, request: Request, pk: str) -> Response:
        """Split a group: errors that meet all given conditions belong to a new group, which is returned.

        If the group was split by this condition before, the response contains the existing group.
        """
        condition = SplitCondition(**self._body(SplitFailureGroupSerializer))
        new = splitting.split(fingerprint=self.get_object().pk, condition=condition)
        self.kwargs["pk"] = new
        return self._detail()

    def _body(self, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        body: dict[str, Any] = serializer.validated_data
        return body

    def _detail(self) -> Response:
        return Response(self._serialize(self.get_object()))

    def _serialize(self, groups: Any, *, many: bool = False) -> Any:
        shown = groups if many else [groups]
        known = counts.counts_of(shown, with_days=not many)
        context = {**self.get_serializer_context(), "counts": known}
        return self.get_serializer_class()(groups, many=many, context=context).data


router = SimpleRouter()
router.register("dlq/groups", GroupViewSet, basename="failure-group")
urlpatterns = router.urls

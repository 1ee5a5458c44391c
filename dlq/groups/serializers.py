"""The serializers of groups of failures: the groups, their counts and rules, and the bodies of requests."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dlq.groups import counts, state
from dlq.groups.counts import GroupCounts
from dlq.groups.models import MAX_MUTE_LIMIT, FailureGroup, GroupState
from dlq.groups.splitting import MAX_CONDITION_LENGTH
from hotelagent.rest.serializers import StrictSerializer

FINGERPRINT_REGEX = "[0-9a-f]{16}"


class FailureCountsSerializer(serializers.Serializer[GroupCounts]):
    open = serializers.IntegerField(help_text="Failures that are neither resolved nor discarded.")
    total = serializers.IntegerField(help_text="All failures that are still stored.")
    counted_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the failures were counted. Null if they were counted for this response. If there are more "
        f"than {counts.MAX_COUNTED_LIVE:,} failures, they are counted in the background.",
    )


class DailyFailuresSerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    captured = serializers.IntegerField(help_text="Failures that were captured on this day.")
    closed = serializers.IntegerField(help_text="Failures that were resolved or discarded on this day.")


class FailureGroupSerializer(serializers.ModelSerializer[FailureGroup]):
    error_message = serializers.CharField(
        source="localized_message", read_only=True, help_text="The message of the first error of the group."
    )
    state = serializers.ChoiceField(
        choices=GroupState.choices,
        read_only=True,
        help_text="`open`: new. `regressed`: it was acknowledged or resolved, and occurred again. `acknowledged`: "
        "known to staff. `muted`: without alerts.",
    )
    counts = serializers.SerializerMethodField(
        help_text="The numbers of failures. Null if they have not been counted yet; they are then being counted."
    )
    first_seen_at = serializers.DateTimeField(source="created_at", read_only=True)
    assigned_to = serializers.UUIDField(
        source="assigned_to_id", read_only=True, allow_null=True, help_text="The id of a member of staff."
    )

    class Meta:
        model = FailureGroup
        fields: Any = [
            "fingerprint",
            "name",
            "error_type",
            "error_message",
            "location",
            "state",
            "counts",
            "first_seen_at",
            "last_seen_at",
            "versions",
            "acknowledged_at",
            "muted_until",
            "mute_limit",
            "regressed_at",
            "regressed_version",
            "assigned_to",
            "note",
            "joined_to",
            "split_from",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "fingerprint": {"help_text": "The id of the group: 16 hexadecimal digits."},
            "last_seen_at": {"help_text": "Accurate to ten seconds."},
            "versions": {"help_text": "The code versions in which the error occurred, newest first."},
            "mute_limit": {"help_text": "The mute ends after this number of further failures."},
            "joined_to": {"help_text": "The group that this group was joined to."},
            "split_from": {"help_text": "The group that this group was split from."},
        }

    @extend_schema_field(FailureCountsSerializer(allow_null=True))
    def get_counts(self, group: FailureGroup) -> Any:
        known: GroupCounts = self.context["counts"][group.fingerprint]
        return FailureCountsSerializer(known).data if known.is_known else None


class SplitFailureGroupSerializer(StrictSerializer):
    text = serializers.CharField(
        max_length=MAX_CONDITION_LENGTH, required=False, help_text="A part of the error message."
    )
    # The type checker reports an error, because the base class Field has a text attribute `source`.
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=100, required=False, help_text="The source of the failure."
    )
    name = serializers.CharField(max_length=150, required=False, help_text="The name of the failure.")
    field = serializers.CharField(
        max_length=MAX_CONDITION_LENGTH,
        required=False,
        help_text="A field of the payload, such as `booking.channel` or `args.0`. It must not be personal or secret.",
    )
    value = serializers.CharField(
        max_length=MAX_CONDITION_LENGTH, required=False, help_text="The value of the field, as text."
    )


class SplitRuleSerializer(SplitFailureGroupSerializer):
    fingerprint = serializers.CharField(help_text="The group to which the matching errors belong.")


class FailureGroupDetailSerializer(FailureGroupSerializer):
    days = serializers.SerializerMethodField(help_text="The numbers of the last 14 days, oldest first.")
    splits = SplitRuleSerializer(many=True, allow_null=True, read_only=True)
    joined_groups = serializers.SerializerMethodField(help_text="The groups that were joined to this group.")

    class Meta(FailureGroupSerializer.Meta):
        fields = [*FailureGroupSerializer.Meta.fields, "traceback", "days", "splits", "joined_groups"]
        read_only_fields = fields

    def get_days(self, group: FailureGroup) -> DailyFailuresSerializer(many=True):  # type: ignore[valid-type]
        known: GroupCounts = self.context["counts"][group.fingerprint]
        rows = [
            dict(
                zip(
                    ("day", "captured", "closed"),
                    (day, *known.days.get(day.isoformat(), (0, 0))),
                    strict=True,
                )
            )
            for day in counts.last_days()
        ]
        return DailyFailuresSerializer(rows, many=True).data

    def get_joined_groups(self, group: FailureGroup) -> list[str]:
        joined = FailureGroup.objects.filter(joined_to=group.fingerprint).order_by("fingerprint")
        return list(joined.values_list("fingerprint", flat=True))


class MuteFailureGroupSerializer(StrictSerializer):
    until = serializers.DateTimeField(required=False, help_text="The mute ends at this time.")
    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_MUTE_LIMIT,
        help_text="The mute ends after this number of further failures.",
    )


class AssignFailureGroupSerializer(StrictSerializer):
    user = serializers.UUIDField(allow_null=True, help_text="The id of a member of staff, or null.")


class AnnotateFailureGroupSerializer(StrictSerializer):
    note = serializers.CharField(max_length=state.MAX_NOTE_LENGTH, allow_blank=True)


class JoinFailureGroupSerializer(StrictSerializer):
    into = serializers.RegexField(
        FINGERPRINT_REGEX,
        max_length=16,
        help_text="The group that gets the failures and the errors of this group.",
    )

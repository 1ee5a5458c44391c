"""The REST API of the transparency log at /api/v1/audit/log/, and of the stream of sealed events.

The paths of the checkpoint and of the tiles are specified at https://c2sp.org/tlog-tiles.
"""

import base64
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.urls import path, re_path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Event
from audit.reading.repeated_reads import record_reading
from audit.sealing import logs
from audit.sealing.models import Log, StoredCheckpoint
from audit.sealing.positions import read_positions
from audit.sealing.stream import MAX_EVENTS, EventsDeleted, TrailNotSealed, read_stream
from audit.sealing.tiles import position_of, tile_reader
from audit.transparency.errors import InvalidTile
from audit.transparency.merkle import HASH_SIZE
from audit.transparency.proofs import prove_inclusion
from audit.transparency.resources import encode_bundle, parse_tile_path
from audit.transparency.tiles import TILE_WIDTH
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import UUID_REGEX, HotelAPIView
from tenants.context import current_tenant


def _sealed_log() -> tuple[Log, StoredCheckpoint]:
    """Return the log of the current tenant and its newest checkpoint. Raises TrailNotSealed."""
    sealed = logs.find_sealed_log(current_tenant().id)
    if sealed is None:
        raise TrailNotSealed
    return sealed


def _events_deleted(log: Log) -> EventsDeleted:
    return EventsDeleted(
        _("Retention has deleted the first %(number)d events of this audit trail.")
        % {"number": log.first_kept},
        first_kept=log.first_kept,
    )


def _raise_if_deleted(event_id: UUID | str) -> None:
    """Raise EventsDeleted if the missing event is so old that retention has deleted it."""
    log = logs.find_log(current_tenant().id)
    if log is not None and log.first_kept and UUID(str(event_id)) <= log.deleted_id:
        raise _events_deleted(log)


class _LogView(HotelAPIView):
    required_scopes = {"GET": "audit:read"}


class CheckpointView(_LogView):
    @extend_schema(
        operation_id="getAuditCheckpoint",
        responses={
            (200, "text/plain"): OpenApiTypes.STR,
            **problem_responses((404, "`/problems/trail-not-sealed`: no event is sealed yet.")),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """Return the newest signed checkpoint of the audit trail, as a signed note."""
        _log, last = _sealed_log()
        return HttpResponse(last.note, content_type="text/plain; charset=utf-8")


class TileView(_LogView):
    @extend_schema(
        operation_id="getAuditTile",
        parameters=[
            OpenApiParameter(
                "tile_path",
                str,
                OpenApiParameter.PATH,
                description="The path of the tile as at https://c2sp.org/tlog-tiles, such as `tile/0/000.p/7`.",
            )
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            **problem_responses(
                (404, "The path is not the path of a tile of this log."),
                (410, "`/problems/events-deleted`: retention deleted the events of the tile."),
            ),
        },
    )
    def get(self, request: Request, tile_path: str) -> HttpResponse:
        """Return the hashes of a tile, a block of up to 256 hashes of the log.

        The path `tile/entries/...` returns the entries of a tile. Entries have no personal data.
        """
        log, _last = _sealed_log()
        try:
            requested = parse_tile_path(tile_path)
        except InvalidTile as error:
            raise Http404 from error
        if not requested.level and (requested.number + 1) * TILE_WIDTH <= log.first_kept:
            raise _events_deleted(log)
        content = b""
        if requested.level is None:
            start = requested.number * TILE_WIDTH
            events = list(read_positions(log, current_tenant(), start, start + requested.width))
            if len(events) == requested.width and all(event.row for event in events):
                content = encode_bundle(event.row.entry for event in events if event.row)
        else:
            stored = tile_reader(log)([requested.tile]).get(requested.tile, b"")
            if len(stored) >= requested.width * HASH_SIZE:
                content = stored[: requested.width * HASH_SIZE]
        if not content:
            raise Http404
        return HttpResponse(content, content_type="application/octet-stream")


class EventProofSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text="The position of the event in the log, counted from zero.")
    entry = serializers.CharField(help_text="The text whose leaf hash is at this position.")
    proof = serializers.ListField(
        child=serializers.CharField(), help_text="The inclusion proof of RFC 9162: SHA-256 hashes in base64."
    )
    checkpoint = serializers.CharField(
        help_text="The signed checkpoint with the size and the root of the log."
    )


class ProofView(_LogView):
    @extend_schema(
        operation_id="getEventProof",
        responses={
            200: EventProofSerializer,
            **problem_responses(
                (404, "The event does not exist, or `/problems/trail-not-sealed`."),
                (410, "`/problems/events-deleted`: retention deleted all events of that time."),
            ),
        },
    )
    def get(self, request: Request, event_id: UUID) -> Response:
        """Return the proof that the signed log contains an event."""
        event = Event.objects.filter(pk=event_id).first()
        if event is None:
            _raise_if_deleted(event_id)
            raise Http404
        record_reading(["id"])
        log, last = _sealed_log()
        position = position_of(log, event.pk, event.transaction)
        if position is None or position >= log.size:
            raise TrailNotSealed
        [sealed] = read_positions(log, current_tenant(), position, position + 1)
        proof = prove_inclusion(position, log.size, tile_reader(log))
        return Response(
            {
                "position": position,
                "entry": sealed.row.entry.decode() if sealed.row else "",
                "proof": [base64.b64encode(part).decode() for part in proof],
                "checkpoint": last.note,
            }
        )


class StreamQuerySerializer(StrictSerializer):
    cursor = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="The `cursor` of the last response."
    )
    limit = serializers.IntegerField(
        required=False,
        default=MAX_EVENTS,
        min_value=1,
        max_value=MAX_EVENTS,
        help_text="The maximum number of events in the response.",
    )


class SealedEventSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text="The position of the event in the log.")
    entry = serializers.CharField(allow_null=True, help_text="The entry. Null if the event was deleted.")
    personal = serializers.DictField(
        help_text="The salts and values of the personal fields, or their digests."
    )


class EventStreamSerializer(serializers.Serializer[Any]):
    events = SealedEventSerializer(many=True)
    cursor = serializers.CharField(help_text="Store it with the events, and send it with the next request.")
    has_more = serializers.BooleanField(help_text="Whether more events are sealed already.")
    deleted = serializers.IntegerField(
        help_text="The number of events after the cursor that retention deleted before they were read, usually 0."
    )


class StreamView(_LogView):
    @extend_schema(
        operation_id="streamEvents",
        parameters=[StreamQuerySerializer],
        responses={
            200: EventStreamSerializer,
            **problem_responses(
                (404, "`/problems/trail-not-sealed`: no event is sealed yet."),
                (422, "`/problems/invalid-trail-cursor`: the cursor belongs to another trail."),
            ),
        },
    )
    def get(self, request: Request) -> Response:
        """Return sealed events in the order of the log: each event at least once, and without gaps.

        Retention deletes the oldest events. If retention has deleted events after the cursor, `deleted` is their
        number.

        Store the cursor together with the events. After an error, send the last stored cursor again.
        """
        query = StreamQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        page = read_stream(query.validated_data["cursor"], query.validated_data["limit"])
        record_reading(["stream"])
        events = [
            {
                "position": event.position,
                "entry": event.row.entry.decode() if event.row else None,
                "personal": (event.row.personal or {}) if event.row else {},
            }
            for event in page.events
        ]
        return Response(
            {"events": events, "cursor": page.cursor, "has_more": page.has_more, "deleted": page.deleted}
        )


urlpatterns = [
    path("audit/log/checkpoint", CheckpointView.as_view(), name="audit-checkpoint"),
    re_path(r"^audit/log/(?P<tile_path>tile/.+)$", TileView.as_view(), name="audit-tile"),
    path("audit/stream/", StreamView.as_view(), name="audit-stream"),
    re_path(rf"^audit/(?P<event_id>{UUID_REGEX})/proof/$", ProofView.as_view(), name="audit-proof"),
]

"""/api/v1/audit/: the trail, newest first. It is read and nothing else."""

from typing import Any

from rest_framework import serializers
from rest_framework.routers import SimpleRouter

from audit.filters import EventFilter
from audit.models import Event
from hotelagent.rest.views import HotelReadOnlyViewSet


class EventSerializer(serializers.ModelSerializer[Event]):
    sentence = serializers.CharField(
        read_only=True, help_text="What happened, in the language of `Accept-Language` where we speak it."
    )

    class Meta:
        model = Event
        fields: Any = [
            "id",
            "at",
            "event",
            "sentence",
            "actor_kind",
            "actor_id",
            "actor_label",
            "ip",
            "request_id",
            "subject_kind",
            "subject_id",
            "data",
        ]
        read_only_fields = fields


class EventViewSet(HotelReadOnlyViewSet):
    """What was done, by whom, when and from where."""

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    required_scopes = {"GET": "audit:read"}


router = SimpleRouter()
router.register("audit", EventViewSet, basename="audit")
urlpatterns = router.urls

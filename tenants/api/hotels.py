"""The REST API for hotels, on the platform's host."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from hotelagent.core.time_zones import validate_time_zone
from hotelagent.rest.conditional import IF_MATCH, PRECONDITION_FAILED
from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.response_headers import LOCATION_OF_JOB
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import EditableMixin, HotelViewSet
from tenants import services
from tenants.models import Hotel, Language


class HotelSerializer(serializers.ModelSerializer[Hotel]):
    time_zone = serializers.CharField(help_text="An IANA time zone, such as `Europe/Lisbon`.")
    host = serializers.SerializerMethodField(help_text="The host name that always serves the hotel.")
    domains: "serializers.SlugRelatedField[Any]" = serializers.SlugRelatedField(
        slug_field="host", many=True, read_only=True, help_text="Custom domains that also serve the hotel."
    )

    class Meta:
        model = Hotel
        fields = (
            "id",
            "slug",
            "name",
            "status",
            "host",
            "domains",
            "time_zone",
            "language",
            "email",
            "created_at",
        )

    def get_host(self, hotel: Hotel) -> str:
        return f"{hotel.slug}.{settings.PLATFORM_HOST}"


class NewHotelSerializer(StrictSerializer):
    slug = serializers.CharField(
        max_length=40,
        help_text="The first part of the hotel's host name: lowercase letters, digits and hyphens.",
    )
    name = serializers.CharField(max_length=200)
    time_zone = serializers.CharField(
        default="UTC",
        max_length=63,
        validators=[validate_time_zone],
        help_text="An IANA time zone, such as `Europe/Lisbon`.",
    )
    language = serializers.ChoiceField(choices=Language.choices, default=Language.ENGLISH)
    email = serializers.EmailField(
        default="",
        allow_blank=True,
        help_text="Guests' replies to the hotel's e-mails are sent to this address.",
    )
    domains = serializers.ListField(
        child=serializers.CharField(max_length=253), default=list, help_text="Custom domains."
    )
    manager_email = serializers.EmailField(
        default="",
        allow_blank=True,
        help_text="The first manager is invited at this address, to choose a user name and a password.",
    )


class HotelHostsSerializer(StrictSerializer):
    slug = serializers.CharField(
        max_length=40,
        required=False,
        help_text="The new slug. The old host name stops working within a second.",
    )
    domains = serializers.ListField(
        child=serializers.CharField(max_length=253),
        required=False,
        help_text="The complete list of custom domains. Domains that are not in the list are removed.",
    )


class HotelsViewSet(IdempotentMixin, EditableMixin, mixins.ListModelMixin, HotelViewSet):
    queryset = Hotel.objects.prefetch_related("domains")
    serializer_class = HotelSerializer
    filterset_fields = ("slug", "status")
    required_scopes = {"GET": "hotels:read", "POST": "hotels:write", "PATCH": "hotels:write"}

    @extend_schema(
        request=NewHotelSerializer,
        parameters=[LOCATION_OF_JOB],
        responses={
            202: HotelSerializer,
            **problem_responses((409, "`/problems/slug-conflict` or `/problems/domain-conflict`."),
                                (422, "`/problems/invalid-slug` or `/problems/invalid-domain`.")),
        },
    )  # fmt: skip
    def create(self, request: Request) -> Response:
        """Create a hotel.

        A background task provisions the hotel, usually within seconds. The `status` is `provisioning` until the hotel
        is ready.
        """
        serializer = NewHotelSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        properties = serializer.validated_data
        hotel = services.register_hotel(**properties)
        url = reverse("hotel-detail", args=[hotel.pk], request=request)
        response = self.resource_response(hotel, status_code=status.HTTP_202_ACCEPTED)
        response["Location"] = url
        return response

    @extend_schema(
        request=HotelHostsSerializer,
        parameters=[IF_MATCH],
        responses={
            200: HotelSerializer,
            **problem_responses(PRECONDITION_FAILED, (409, "`/problems/slug-conflict` or `/problems/domain-conflict`."),
                                (422, "`/problems/invalid-slug` or `/problems/invalid-domain`.")),
        },
    )  # fmt: skip
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a hotel's slug and custom domains.

        If one of the changes is not possible, the hotel is not changed.
        """
        serializer = HotelHostsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with self.changeable_object() as stored:
            hotel = services.update_hosts(hotel_id=stored.pk, **serializer.validated_data)
        return self.resource_response(hotel)

    @extend_schema(request=None, responses={200: HotelSerializer, **problem_responses(
        (409, "`/problems/hotel-state-error`: only an active hotel can be suspended."))})  # fmt: skip
    @action(detail=True, methods=["post"])
    def suspend(self, _request: Request, pk: str) -> Response:
        """Suspend an active hotel.

        Its host names respond with 503 and its background tasks stop. Its data are kept.
        """
        return Response(self.get_serializer(services.suspend_hotel(hotel_id=self.get_object().pk)).data)

    @extend_schema(request=None, responses={200: HotelSerializer, **problem_responses(
        (409, "`/problems/hotel-state-error`: only a suspended hotel can be resumed."))})  # fmt: skip
    @action(detail=True, methods=["post"])
    def resume(self, _request: Request, pk: str) -> Response:
        """Lift the suspension of a hotel.

        Tasks that became due during the suspension run immediately.
        """
        return Response(self.get_serializer(services.resume_hotel(hotel_id=self.get_object().pk)).data)

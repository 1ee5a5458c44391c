"""The platform's API: hotels, and which hotel a guest's contact belongs to. Served on the platform's host only."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.routers import SimpleRouter
from timezone_field.rest_framework import TimeZoneSerializerField

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import UUID_REGEX, HotelAPIView, HotelReadOnlyViewSet
from tenants import selectors, services
from tenants.models import ContactIdentifier, ContactKind, Hotel, Language
from tenants.services import contacts


class HotelSerializer(serializers.ModelSerializer[Hotel]):
    time_zone = serializers.CharField(help_text="An IANA name, such as `Europe/Lisbon`.")
    host = serializers.SerializerMethodField(help_text="Where it answers, besides domains of its own.")
    domains: "serializers.SlugRelatedField[Any]" = serializers.SlugRelatedField(
        slug_field="host", many=True, read_only=True
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
        max_length=40, help_text="Its name in the address: lower-case letters, digits, hyphens."
    )
    name = serializers.CharField(max_length=200)
    time_zone = TimeZoneSerializerField(default="UTC", use_pytz=False, help_text="An IANA name.")
    language = serializers.ChoiceField(choices=Language.choices, default=Language.ENGLISH)
    email = serializers.EmailField(
        default="", allow_blank=True, help_text="Where guests' answers to its mails go."
    )
    domains = serializers.ListField(
        child=serializers.CharField(max_length=253), default=list, help_text="Domains of its own."
    )


class AddressSerializer(StrictSerializer):
    slug = serializers.CharField(
        max_length=40, required=False, help_text="Its old host is unknown within a second."
    )
    domains = serializers.ListField(
        child=serializers.CharField(max_length=253),
        required=False,
        help_text="All of them: one that is missing here is taken away.",
    )


class ContactSerializer(StrictSerializer):
    kind = serializers.ChoiceField(choices=ContactKind.choices)
    value = serializers.CharField(
        max_length=254, help_text="A phone with its country code, or an e-mail address."
    )


class ContactIdentifierSerializer(serializers.ModelSerializer[ContactIdentifier]):
    value = serializers.CharField(
        help_text="A phone as E.164, an e-mail in lower case, its domain as `xn--` where it has other letters."
    )

    class Meta:
        model = ContactIdentifier
        fields = ("id", "kind", "value", "created_at")


class HotelsViewSet(IdempotentMixin, HotelReadOnlyViewSet):
    queryset = Hotel.objects.prefetch_related("domains")
    serializer_class = HotelSerializer
    filterset_fields = ("slug", "status")
    required_scopes = {"GET": "hotels:read", "POST": "hotels:write", "PATCH": "hotels:write"}

    @extend_schema(
        request=NewHotelSerializer,
        responses={
            202: HotelSerializer,
            **problem_responses((409, "`/problems/slug-conflict` or `/problems/domain-conflict`."),
                                (422, "`/problems/invalid-slug` or `/problems/invalid-domain`.")),
        },
    )  # fmt: skip
    def create(self, request: Request) -> Response:
        """Ask for a hotel.

        It is made by a task: `status` is `provisioning` until it answers on its host, usually within seconds.
        """
        new = NewHotelSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        wanted = new.validated_data
        hotel = services.register_hotel(**{**wanted, "time_zone": str(wanted["time_zone"])})
        address = reverse("hotel-detail", args=[hotel.pk], request=request)
        return Response(
            self.get_serializer(hotel).data, status=status.HTTP_202_ACCEPTED, headers={"Location": address}
        )

    @extend_schema(
        request=AddressSerializer,
        responses={
            200: HotelSerializer,
            **problem_responses((409, "`/problems/slug-conflict` or `/problems/domain-conflict`."),
                                (422, "`/problems/invalid-slug` or `/problems/invalid-domain`.")),
        },
    )  # fmt: skip
    def partial_update(self, request: Request, pk: str) -> Response:
        """Give a hotel another slug or other domains: all of what is asked for, or nothing."""
        address = AddressSerializer(data=request.data)
        address.is_valid(raise_exception=True)
        hotel = services.readdress_hotel(hotel_id=self.get_object().pk, **address.validated_data)
        return Response(self.get_serializer(hotel).data)

    @extend_schema(request=None, responses={200: HotelSerializer, **problem_responses(
        (409, "`/problems/hotel-state-error`: only an active hotel can be suspended."))})  # fmt: skip
    @action(detail=True, methods=["post"])
    def suspend(self, _request: Request, pk: str) -> Response:
        """Close an active hotel. Its host answers 503, none of its tasks runs, its data stays."""
        return Response(self.get_serializer(services.suspend_hotel(hotel_id=self.get_object().pk)).data)

    @extend_schema(request=None, responses={200: HotelSerializer, **problem_responses(
        (409, "`/problems/hotel-state-error`: only a suspended hotel can be resumed."))})  # fmt: skip
    @action(detail=True, methods=["post"])
    def resume(self, _request: Request, pk: str) -> Response:
        """Open a suspended hotel again. What became due meanwhile is done."""
        return Response(self.get_serializer(services.resume_hotel(hotel_id=self.get_object().pk)).data)


class ContactsViewSet(IdempotentMixin, HotelReadOnlyViewSet):
    """No filter by value: an address with a guest's phone in it would stand in every proxy's log."""

    queryset = ContactIdentifier.objects.all()
    serializer_class = ContactIdentifierSerializer
    lookup_value_regex = UUID_REGEX
    filterset_fields = ("kind",)
    required_scopes = {"GET": "contacts:read", "POST": "contacts:write", "DELETE": "contacts:write"}

    def get_queryset(self) -> QuerySet[ContactIdentifier]:
        # The description is made of views that no request came to.
        return super().get_queryset().filter(hotel_id=self.kwargs.get("hotel_id"))

    def list(self, request: Request, hotel_id: str) -> Response:
        """List the guests' phones and e-mails that lead to a hotel, newest first."""
        selectors.get_hotel(hotel_id=UUID(hotel_id))
        return super().list(request)

    @extend_schema(
        request=ContactSerializer,
        responses={
            (201, "application/json"): ContactIdentifierSerializer,
            (200, "application/json"): OpenApiResponse(
                ContactIdentifierSerializer, description="The hotel has it already; nothing changed."),
            **problem_responses((404, "`/problems/hotel-not-found`."), (409, "`/problems/contact-conflict`."),
                                (422, "`/problems/invalid-contact`.")),
        },
    )  # fmt: skip
    def create(self, request: Request, hotel_id: str) -> Response:
        """Let a guest's phone or e-mail lead to a hotel.

        It is stored in one form, however it is written. One that leads to another hotel is refused: it must be
        removed there first. A suspended hotel keeps its contacts, and `/resolve/` does not find it by them.
        """
        wanted = ContactSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        contact, is_new = contacts.add_contact(
            hotel_id=UUID(hotel_id),
            kind=ContactKind(wanted.validated_data["kind"]),
            value=wanted.validated_data["value"],
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        address = reverse("hotel-contact-detail", args=[hotel_id, contact.pk], request=request)
        return Response(self.get_serializer(contact).data, status=code, headers={"Location": address})

    @extend_schema(responses={204: None, **problem_responses(
        (404, "`/problems/hotel-not-found` or `/problems/contact-not-found`."))})  # fmt: skip
    def destroy(self, _request: Request, hotel_id: str, pk: str) -> Response:
        """Remove a contact: from then on it leads to no hotel."""
        contacts.remove_contact(hotel_id=UUID(hotel_id), contact_id=UUID(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResolveView(HotelAPIView):
    """A POST although it only reads: an address with a guest's phone in it would stand in every proxy's log."""

    required_scopes = {"POST": "contacts:resolve"}

    @extend_schema(
        request=ContactSerializer,
        responses={200: HotelSerializer, **problem_responses(
            (404, "`/problems/contact-not-found`."), (422, "`/problems/invalid-contact`."))},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Find the hotel of a guest's phone or e-mail."""
        contact = ContactSerializer(data=request.data)
        contact.is_valid(raise_exception=True)
        hotel = contacts.resolve(
            kind=ContactKind(contact.validated_data["kind"]), value=contact.validated_data["value"]
        )
        return Response(HotelSerializer(hotel).data)


_router = SimpleRouter()
_router.register("hotels", HotelsViewSet, basename="hotel")
_router.register(rf"hotels/(?P<hotel_id>{UUID_REGEX})/contacts", ContactsViewSet, basename="hotel-contact")

urlpatterns = [*_router.urls, path("resolve/", ResolveView.as_view(), name="resolve")]

"""The REST API of guest contacts, and the lookup of the hotel that a contact belongs to.

Phone numbers and e-mail addresses are sent in request bodies only, because proxies store URLs in their access logs.
"""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.schema import problem_responses
from hotelagent.rest.serializers import StrictSerializer
from hotelagent.rest.views import UUID_REGEX, HotelAPIView, HotelReadOnlyViewSet
from tenants import selectors
from tenants.api.hotels import HotelSerializer
from tenants.models import ContactIdentifier, ContactKind
from tenants.services import contacts


class ContactLookupSerializer(StrictSerializer):
    kind = serializers.ChoiceField(choices=ContactKind.choices)
    value = serializers.CharField(
        max_length=254, help_text="A phone number with its country code, or an e-mail address."
    )


class ContactSerializer(serializers.ModelSerializer[ContactIdentifier]):
    value = serializers.CharField(
        help_text="A phone number as E.164, or an e-mail address in lowercase with its domain in ASCII (`xn--`)."
    )

    class Meta:
        model = ContactIdentifier
        fields = ("id", "kind", "value", "created_at")


class ContactsViewSet(IdempotentMixin, HotelReadOnlyViewSet):
    queryset = ContactIdentifier.objects.all()
    resource_name = "contact"
    personal_data = "contactidentifier"
    serializer_class = ContactSerializer
    lookup_value_regex = UUID_REGEX
    filterset_fields = ("kind",)
    required_scopes = {"GET": "contacts:read", "POST": "contacts:write", "DELETE": "contacts:write"}

    def get_queryset(self) -> QuerySet[ContactIdentifier]:
        # The OpenAPI schema generator calls this method without `hotel_id`, so get() is used.
        return super().get_queryset().filter(hotel_id=self.kwargs.get("hotel_id"))

    def list(self, request: Request, hotel_id: str) -> Response:
        """List the guest contacts of a hotel, newest first."""
        selectors.get_hotel(hotel_id=UUID(hotel_id))
        return super().list(request)

    @extend_schema(
        operation_id="addContact",
        request=ContactLookupSerializer,
        responses={
            (201, "application/json"): ContactSerializer,
            (200, "application/json"): OpenApiResponse(
                ContactSerializer, description="The hotel already had this contact. Nothing changed."),
            **problem_responses((404, "`/problems/hotel-not-found`."), (409, "`/problems/contact-conflict`."),
                                (422, "`/problems/invalid-contact`.")),
        },
    )  # fmt: skip
    def create(self, request: Request, hotel_id: str) -> Response:
        """Add a guest's phone number or e-mail address to a hotel.

        The value is normalized. A contact that belongs to another hotel is rejected, so first remove the contact from
        the other hotel. A suspended hotel keeps its contacts, but `/resolve/` does not return a suspended hotel.
        """
        serializer = ContactLookupSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        contact, is_new = contacts.add_contact(
            hotel_id=UUID(hotel_id),
            kind=ContactKind(serializer.validated_data["kind"]),
            value=serializer.validated_data["value"],
        )
        if not is_new:
            return Response(self.get_serializer(contact).data)
        url = reverse("hotel-contact-detail", args=[hotel_id, contact.pk], request=request)
        return Response(
            self.get_serializer(contact).data, status=status.HTTP_201_CREATED, headers={"Location": url}
        )

    @extend_schema(responses={204: None, **problem_responses(
        (404, "`/problems/hotel-not-found` or `/problems/contact-not-found`."))})  # fmt: skip
    def destroy(self, _request: Request, hotel_id: str, pk: str) -> Response:
        """Remove a guest contact from a hotel."""
        contacts.remove_contact(hotel_id=UUID(hotel_id), contact_id=UUID(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResolveView(HotelAPIView):
    required_scopes = {"POST": "contacts:resolve"}

    @extend_schema(
        operation_id="resolveContact",
        request=ContactLookupSerializer,
        responses={200: HotelSerializer, **problem_responses(
            (404, "`/problems/contact-not-found`."), (422, "`/problems/invalid-contact`."))},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Look up the hotel of a guest's phone number or e-mail address.

        This is a POST request so that the contact is not part of the URL, which proxies log.
        """
        serializer = ContactLookupSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        hotel = contacts.resolve_contact(
            kind=ContactKind(serializer.validated_data["kind"]), value=serializer.validated_data["value"]
        )
        return Response(HotelSerializer(hotel).data)

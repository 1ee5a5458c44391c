"""CloudEvents 1.0 in structured JSON mode, as reports of messages that could not be processed.

The official library does not check the types and formats of attributes, and its errors do not name the attribute. The
serializer in this module checks the attributes of the specification, and returns errors with JSON Pointers. The
serializer also describes the format in the OpenAPI schema.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.settings import api_settings

from dlq.error_reports import MAX_MESSAGE_LENGTH, MAX_TYPE_LENGTH, report_texts
from dlq.external.api.serializers import ReportFailureSerializer
from dlq.external.reports import MAX_ORDERING_KEY_LENGTH, Report
from dlq.kinds.namespaces import MAX_KIND_LENGTH
from hotelagent.rest.parsers import JSONParser

MEDIA_TYPE = "application/cloudevents+json"
#: The extension attributes that describe the failure. The handler gets the event without these attributes.
REPORT_ATTRIBUTES = ("errortype", "errormessage", "retry", "orderingkey")

_NAME = re.compile(r"[a-z0-9]+")
#: What the OpenAPI schema says about extension attributes.
_EXTENSIONS: dict[str, Any] = {
    "propertyNames": {"pattern": f"^({_NAME.pattern}|data_base64)$"},
    "additionalProperties": {
        "anyOf": [
            {"type": "string"},
            {"type": "boolean"},
            {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
            {"type": "null"},
        ]
    },
}
#: This pattern matches the characters that RFC 3986 allows in a URI reference, and percent-encoded bytes.
_URI_REFERENCE = re.compile(r"([A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
_MEDIA_TYPE = re.compile(r"[\w.+!#$&^-]+/[\w.+!#$&^-]+\s*(;.*)?", re.ASCII)
#: The format of a time in RFC 3339. The offset from UTC is required.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_INT32 = range(-(2**31), 2**31)


class CloudEventParser(JSONParser):
    media_type = MEDIA_TYPE


class _Attribute(serializers.CharField):
    """A text attribute of an event, which is stored as it was sent. An attribute that is null counts as missing."""

    def __init__(self, **options: Any) -> None:
        options = {"max_length": 1000, **options}
        if not options.get("required", True):
            options["allow_null"] = True
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        # `CharField` accepts a number and converts it to text. CloudEvents requires a string here.
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A booking that could not be stored",
            value={
                "specversion": "1.0",
                "id": "c9d1-42",
                "source": "/pms/gateway",
                "type": "com.example.booking.created",
                "subject": "B-1042",
                "time": "2031-07-01T14:00:00Z",
                "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "datacontenttype": "application/json",
                "data": {"booking": "B-1042", "nights": 3},
                "errortype": "Timeout",
                "errormessage": "The PMS did not respond within 30 seconds.",
                "orderingkey": "B-1042",
            },
            request_only=True,
            media_type=MEDIA_TYPE,
        )
    ],
)
class CloudEventSerializer(serializers.Serializer[Any]):
    """A CloudEvent whose processing failed. The error is described by extension attributes.

    Other extension attributes are allowed and are part of the event that the handler gets.
    """

    schema_keywords = _EXTENSIONS

    specversion = serializers.ChoiceField(choices=["1.0"])
    id = _Attribute(help_text="The id of the event. Another event of the same `source` must have another id.")
    # The type checker expects a text, because the base class Field has a text attribute `source`.
    source = _Attribute(  # type: ignore[assignment]
        help_text="A URI reference of the system in which the event occurred."
    )
    type = _Attribute(
        max_length=MAX_KIND_LENGTH,
        help_text="The kind of the failure, within the namespace of the API key. Handlers claim failures by kind.",
    )
    subject = _Attribute(required=False)
    time = _Attribute(required=False, help_text="The time of the event (RFC 3339).")
    datacontenttype = _Attribute(required=False, help_text="The media type of the data.")
    dataschema = _Attribute(required=False, help_text="A URI of the schema of the data.")
    # The type checker expects a property, because the base class Serializer has a property `data`.
    data = serializers.JSONField(  # type: ignore[assignment]
        required=False, allow_null=True, help_text="The data, as any JSON value."
    )
    data_base64 = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="The data as bytes in base64, instead of `data`.",
    )
    traceparent = _Attribute(
        required=False, help_text="The trace of the event (W3C Trace Context). The handler gets it."
    )
    tracestate = _Attribute(required=False, help_text="Vendor-specific data of the trace.")
    errortype = _Attribute(
        max_length=MAX_TYPE_LENGTH, help_text="The type of the error, such as its class or code."
    )
    errormessage = _Attribute(
        max_length=MAX_MESSAGE_LENGTH,
        allow_blank=True,
        help_text="The error message. E-mail addresses, phone numbers and secrets are redacted.",
    )
    retry = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="False if a retry cannot succeed. The failure then waits for a person. Default: true.",
    )
    orderingkey = _Attribute(
        required=False,
        max_length=MAX_ORDERING_KEY_LENGTH,
        help_text="Failures with the same ordering key are processed one at a time, oldest first. Use for example "
        "the booking, which is often also the `subject`.",
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                {api_settings.NON_FIELD_ERRORS_KEY: [_("The event must be a JSON object.")]}
            )
        errors = {name: [error] for name in data if (error := self._name_error(name, data[name]))}
        if errors:
            raise serializers.ValidationError(errors)
        self.event = {name: value for name, value in data.items() if value is not None or name == "data"}
        validated: dict[str, Any] = super().to_internal_value(data)
        return validated

    def _name_error(self, name: str, value: Any) -> str | None:
        """Return the error of an attribute whose name or value the specification does not allow, or None."""
        if name in self.fields:
            return None
        if not _NAME.fullmatch(name):
            return _("Names of attributes consist of lower-case letters and digits.")
        if value is None or isinstance(value, str | bool) or (isinstance(value, int) and value in _INT32):
            return None
        return _("An extension attribute must be a string, a boolean or a 32-bit integer.")

    def validate_source(self, value: str) -> str:
        return _match(_URI_REFERENCE, value, _("Enter a URI reference, such as /pms/gateway."))

    def validate_dataschema(self, value: str | None) -> str | None:
        return value and _match(_URI_REFERENCE, value, _("Enter a URI."))

    def validate_datacontenttype(self, value: str | None) -> str | None:
        return value and _match(_MEDIA_TYPE, value, _("Enter a media type, such as application/json."))

    def validate_time(self, value: str | None) -> str | None:
        message = _("Enter a time with its offset from UTC, such as 2031-07-01T14:00:00Z.")
        if value is None:
            return None
        try:
            is_time = parse_datetime(_match(_TIME, value, message).upper()) is not None
        except ValueError:
            is_time = False
        if not is_time:
            raise serializers.ValidationError(message)
        return value

    def validate_data_base64(self, value: str | None) -> str | None:
        try:
            base64.b64decode(value or "", validate=True)
        except (binascii.Error, ValueError) as error:
            raise serializers.ValidationError(
                _("Encode the bytes in base64 (RFC 4648, section 4).")
            ) from error
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "data" in self.event and "data_base64" in self.event:
            raise serializers.ValidationError(_("Send either `data` or `data_base64`."))
        return attrs

    def report(self) -> Report:
        """Return the valid event as a report of a failure.

        The payload of the failure is the event without the attributes that describe the failure (REPORT_ATTRIBUTES).
        """
        attributes = self.validated_data
        retry = attributes.get("retry")
        return Report(
            kind=attributes["type"],
            payload={name: value for name, value in self.event.items() if name not in REPORT_ATTRIBUTES},
            error=report_texts(type=attributes["errortype"], message=attributes["errormessage"]),
            retry=retry is None or retry,
            ordering_key=attributes.get("orderingkey") or "",
            event=(attributes["source"], attributes["id"]),
        )


def _match(pattern: re.Pattern[str], value: str, message: str) -> str:
    if not pattern.fullmatch(value):
        raise serializers.ValidationError(message)
    return value


def parse_report(request: Request) -> Report:
    """Return the report in the body of the request, which is a CloudEvent or a message in the plain form.

    Raises ValidationError, UnsupportedMediaType.
    """
    if "ce-specversion" in request.headers:
        raise UnsupportedMediaType(
            request.content_type, _("CloudEvents in binary mode (headers `ce-...`) are not supported.")
        )
    is_event = request.content_type.partition(";")[0].strip().lower() == MEDIA_TYPE
    serializer = (
        CloudEventSerializer(data=request.data) if is_event else ReportFailureSerializer(data=request.data)
    )
    serializer.is_valid(raise_exception=True)
    return serializer.report()

"""Base classes of serializers: a strict class for request bodies, and a fast class for responses."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypeVar

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict

T = TypeVar("T")


class StrictMixin:
    """Refuses fields that the serializer does not define. Otherwise a misspelt field would silently have no effect."""

    def to_internal_value(self, data: Any) -> Any:
        fields: Mapping[str, serializers.Field[Any, Any, Any, Any]] = self.fields  # type: ignore[attr-defined]
        if isinstance(data, Mapping) and (unknown := sorted(set(data) - set(fields))):
            allowed = ", ".join(name for name, field in fields.items() if not field.read_only)
            message = _("Unknown field. Allowed fields: %(allowed)s.") % {"allowed": allowed}
            raise serializers.ValidationError({name: [message] for name in unknown})
        return super().to_internal_value(data)  # type: ignore[misc]


class StrictSerializer(StrictMixin, serializers.Serializer[Any]):
    """Base class of serializers for request bodies that do not belong to a model."""


class ReadOnlySerializer(serializers.Serializer[T], Generic[T]):
    """Base class of serializers for responses.

    For speed, all instances of a class share their field objects, so the fields must not depend on the serializer's
    context.
    """

    @property
    def fields(self) -> BindingDict:
        return _shared_fields(type(self))


@cache
def _shared_fields(serializer_class: type[ReadOnlySerializer[Any]]) -> BindingDict:
    serializer = serializer_class()
    fields = BindingDict(serializer)
    fields.update(serializer.get_fields())
    return fields

"""What a client sends, taken at its word: a name that we don't know is an error, not a wish passed over.

And what it is shown, quickly.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypeVar

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict

T = TypeVar("T")


class StrictMixin:
    """Refuses what the serializer has no field for: a misspelt `chek_out` would else quietly do nothing."""

    def to_internal_value(self, data: Any) -> Any:
        fields: Mapping[str, serializers.Field[Any, Any, Any, Any]] = self.fields  # type: ignore[attr-defined]
        if isinstance(data, Mapping) and (unknown := sorted(set(data) - set(fields))):
            known = ", ".join(name for name, field in fields.items() if not field.read_only)
            raise serializers.ValidationError(
                {
                    name: [_("There is no such field. Known are: %(known)s.") % {"known": known}]
                    for name in unknown
                }
            )
        return super().to_internal_value(data)  # type: ignore[misc]


class StrictSerializer(StrictMixin, serializers.Serializer[Any]):
    """The base of what is sent and is no model's own form."""


class ReadOnlySerializer(serializers.Serializer[T], Generic[T]):
    """The base of what is only shown. Its fields are made once: made for each answer, they were most of its cost.

    No field of it may look at its serializer's context. What is sent can't share its fields: a refusal's words
    would stay in the language of whoever was refused first.
    """

    @property
    def fields(self) -> BindingDict:
        return _fields_of(type(self))


@cache
def _fields_of(kind: type[ReadOnlySerializer[Any]]) -> BindingDict:
    serializer = kind()
    fields = BindingDict(serializer)
    fields.update(serializer.get_fields())
    return fields

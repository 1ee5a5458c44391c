"""What a client sends, taken at its word: a name that we don't know is an error, not a wish passed over."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers


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

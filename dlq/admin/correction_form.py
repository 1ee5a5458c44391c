"""The form that corrects the payload of a failure.

The form has a field for each value that the JSON Schema of the kind of failure declares. Without a schema, the whole
payload is edited as JSON. Only values that a person changes are replaced, so all other values keep their exact form.
"""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from dlq.admin.form_fields import MISSING, JsonField, Property, form_field, properties_of
from dlq.errors import InvalidPayload
from dlq.kinds.fields import Path
from dlq.kinds.registry import Kind

MAX_FIELDS = 60
#: A person can edit a payload as JSON only if the JSON text has at most this number of characters.
MAX_JSON_LENGTH = 50_000
_PREFIX = "payload."


class CorrectionForm(forms.Form):
    """The form for the payload of a failure. `version` is the version of the failure that the person saw."""

    version = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: Kind, payload: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        properties = properties_of(kind, payload)
        self.properties = {
            _PREFIX + ".".join(map(str, entry.path)): entry for entry in properties[:MAX_FIELDS]
        }
        for name, entry in self.properties.items():
            self.fields[name] = form_field(entry, kind=kind)
        if not self.properties:
            self.fields["payload"] = JsonField(label=_("Data (JSON)"), initial=payload)

    def corrected(self, payload: Any) -> Any:
        """Return the payload with the values that the person changed."""
        if not self.properties:
            return self.cleaned_data["payload"]
        for name, entry in self.properties.items():
            if name in self.changed_data:
                payload = _with_value(payload, entry.path, _new_value(entry, self.cleaned_data[name]))
        return payload

    def add_payload_errors(self, error: InvalidPayload) -> None:
        """Show each error of the payload at its field, or above the form if the form has no such field."""
        for path, messages in error.extra["errors"].items():
            if _PREFIX + path in self.fields:
                self.add_error(_PREFIX + path, messages)
            else:
                place = "" if path == "payload" else f"{path}: "
                self.add_error(None, [f"{place}{message}" for message in messages])

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The visible form fields, grouped by the path of the JSON object that contains them."""
        groups: dict[str, list[forms.BoundField]] = {}
        for field in self.visible_fields():
            entry = self.properties.get(field.name)
            title = " / ".join(map(str, entry.path[:-1])) if entry else ""
            groups.setdefault(title, []).append(field)
        return list(groups.items())


def is_editable(kind: Kind, payload: Any) -> bool:
    """Return whether the form can correct the payload. The form cannot correct a long payload without a schema."""
    if properties_of(kind, payload):
        return True
    try:
        return len(json.dumps(payload)) <= MAX_JSON_LENGTH
    except RecursionError:
        return False


def _new_value(entry: Property, value: Any) -> Any:
    """Return the value to store for the entered `value`, or MISSING to remove the property from the payload.

    An empty value removes a property that is neither required nor nullable.
    """
    if value in (None, ""):
        if entry.is_nullable:
            return None
        return value if entry.is_required else MISSING
    return {**entry.value, "__value__": value} if entry.is_tagged else value


def _with_value(payload: Any, path: Path, value: Any) -> dict[str | int, Any]:
    """Return a copy of the payload with the value at the path. Objects that are missing on the path are added."""
    copy = dict(payload) if isinstance(payload, dict) else {}
    if len(path) > 1:
        copy[path[0]] = _with_value(copy.get(path[0]), path[1:], value)
    elif value is MISSING:
        copy.pop(path[0], None)
    else:
        copy[path[0]] = value
    return copy

"""Form fields for the values of a payload.

The fields are generated from the JSON Schema of the kind of failure.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from dlq.admin.payload_tree import field_title
from dlq.corrections.declared_fields import child_schema, is_secret, resolve
from dlq.kinds.fields import Path
from dlq.kinds.registry import Kind

#: Objects that are nested more deeply than this number of levels are edited as JSON.
MAX_LEVELS = 4
#: A text with more characters than this is edited in a text area.
_LONG_TEXT = 80
#: Maps the `format` of a string in a JSON Schema to the type of the HTML input that edits the string.
_INPUT_TYPES = {"date": "date", "email": "email", "time": "time", "uri": "url"}
_PYTHON_TYPES: dict[str, Any] = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
MISSING = object()


class JsonField(forms.JSONField):
    """A form field that shows a JSON value as indented text in a text area."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, InvalidJSONInput) else to_json(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput(data)

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError as error:
            raise forms.ValidationError(
                _("The JSON is nested too deeply. Use fewer levels of objects and lists.")
            ) from error


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the payload with a field in the form. `value` is `MISSING` if the payload lacks the property."""

    path: Path
    schema: dict[str, Any]
    value: Any
    is_required: bool

    @property
    def is_tagged(self) -> bool:
        """Return whether the value is a text that is stored with its type, such as a date."""
        return _is_tagged(self.value) and isinstance(self.value["__value__"], str)

    @property
    def is_nullable(self) -> bool:
        return "null" in (self.schema.get("type") or ())

    @property
    def shown_value(self) -> Any:
        if self.value is MISSING:
            return None
        return self.value["__value__"] if self.is_tagged else self.value

    @property
    def type(self) -> str:
        """Return the simple JSON type of the value, or "json" if the value is edited as JSON."""
        types = self.schema.get("type") or []
        simple = [name for name in ([types] if isinstance(types, str) else types) if name != "null"]
        expected = _PYTHON_TYPES.get(simple[0]) if len(simple) == 1 else None
        is_other = self.shown_value is not None and not (expected and isinstance(self.shown_value, expected))
        return "json" if expected is None or is_other else str(simple[0])

    @property
    def title(self) -> str:
        """Return the translated title of the schema, or a readable form of the name of the field."""
        return field_title(self.schema, default=str(self.path[-1]).replace("_", " ").capitalize())


def properties_of(kind: Kind, payload: Any) -> list[Property]:
    """Return the values that the schema of the kind of failure declares, also in nested objects."""
    if kind.schema is None:
        return []
    schema = resolve(kind.schema, root=kind.schema)
    return list(_properties(schema, kind.schema, payload, (), is_required=True))


def _properties(
    schema: dict[str, Any], root: Any, value: Any, path: Path, *, is_required: bool
) -> Iterator[Property]:
    is_object = isinstance(value, dict) and not _is_tagged(value)
    if schema.get("properties") and len(path) < MAX_LEVELS and (is_object or value is MISSING or not path):
        for name in schema["properties"]:
            yield from _properties(
                child_schema(schema, name, root=root) or {},
                root,
                value.get(name, MISSING) if is_object else MISSING,
                (*path, name),
                is_required=is_required and name in schema.get("required", []),
            )
    elif path and not schema.get("readOnly"):
        yield Property(path, schema, value, is_required)


def _is_tagged(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"__type__", "__value__"}


def form_field(entry: Property, *, kind: Kind) -> forms.Field:
    """Return the form field for a value of the payload.

    The schema checks the value when a person corrects the payload.
    """
    description = entry.schema.get("description")
    options: dict[str, Any] = {
        "label": entry.title,
        "help_text": _(description) if description else "",
        "initial": entry.shown_value,
        "required": entry.is_required and not entry.is_nullable,
    }
    if is_secret(kind, entry.path):
        return _secret_field(entry, options)
    if "enum" in entry.schema or "const" in entry.schema:
        return _choice_field(entry.schema.get("enum") or [entry.schema["const"]], options)
    limits: dict[str, Any] = {
        "min_value": entry.schema.get("minimum"),
        "max_value": entry.schema.get("maximum"),
    }
    match entry.type:
        case "boolean":
            field: forms.Field = _choice_field([True, False], options)
        case "integer":
            field = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, **limits, **options)
        case "number":
            field = forms.FloatField(widget=UnfoldAdminDecimalFieldWidget, **limits, **options)
        case "string":
            field = _text_field(entry, options)
        case _:
            field = JsonField(**{**options, "required": False, "help_text": options["help_text"] or "JSON"})
    return field


def _secret_field(entry: Property, options: dict[str, Any]) -> forms.Field:
    is_stored = entry.value is not MISSING
    if is_stored:
        options["help_text"] = _("This value is secret. Leave the field blank to keep the value.")
    options |= {"initial": "", "required": options["required"] and not is_stored}
    return forms.CharField(widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}), **options)


def _text_field(entry: Property, options: dict[str, Any]) -> forms.Field:
    initial, schema = options["initial"] or "", entry.schema
    # An empty text matches a schema without `minLength`, `format` and `pattern`, so the field may be left blank.
    options["required"] = options["required"] and not {"minLength", "format", "pattern"}.isdisjoint(schema)
    limits: dict[str, Any] = {"max_length": schema.get("maxLength"), "min_length": schema.get("minLength")}
    input_type = _INPUT_TYPES.get(schema.get("format", ""), "text")
    is_long = len(initial) > _LONG_TEXT or "\n" in initial
    widget = (
        UnfoldAdminTextareaWidget() if is_long else UnfoldAdminTextInputWidget(attrs={"type": input_type})
    )
    return forms.CharField(widget=widget, strip=False, **limits, **options)


def _choice_field(values: list[Any], options: dict[str, Any]) -> forms.Field:
    labels = {True: _("yes"), False: _("no"), None: "-"}
    choices = [
        (json.dumps(value), labels[value] if isinstance(value, bool | None) else str(value))
        for value in values
    ]
    initial = "" if options["initial"] is None else json.dumps(options["initial"])
    if not options["required"] or initial not in dict(choices):
        choices.insert(0, ("", "-"))
    return forms.TypedChoiceField(
        choices=choices,
        coerce=json.loads,
        empty_value=None,
        widget=UnfoldAdminSelectWidget,
        **{**options, "initial": initial},
    )

"""The difference between two payloads as a JSON Patch (RFC 6902), and the application of JSON Patches."""

import json
from typing import Any

import jsonpatch
from django.utils.translation import gettext as _

from dlq.corrections.declared_fields import Keys, is_open, keys_of, public_pointer
from dlq.errors import InvalidPatch
from dlq.kinds.registry import Kind

Patch = list[dict[str, Any]]

#: Maximum number of operations in a JSON Patch from a client.
MAX_OPERATIONS = 100
#: Maximum length of a payload as JSON.
#: An operation that copies a value can double the length, so the length is checked after each such operation.
MAX_LENGTH = 10_000_000
#: Maximum length of payloads that are compared field by field.
MAX_COMPARED_LENGTH = 1_000_000
#: Maximum length of a text in an audit event. Longer texts are left out of the event.
MAX_RECORDED_LENGTH = 200
#: Maximum number of operations in an audit event. Further operations are left out of the event.
MAX_RECORDED_OPERATIONS = 50

_OPERATIONS = frozenset({"add", "remove", "replace", "move", "copy", "test"})


def difference(before: Any, after: Any) -> Patch:
    """Return a JSON Patch that changes `before` to `after`.

    If the payloads are too long or too deeply nested for a comparison, the patch replaces the whole payload.
    """
    whole = [{"op": "replace", "path": "", "value": after}]
    try:
        if len(json.dumps(before)) + len(json.dumps(after)) > MAX_COMPARED_LENGTH:
            return whole if before != after else []
        patch: Patch = jsonpatch.make_patch(before, after).patch
    except RecursionError:
        return whole
    return patch


def apply(patch: Any, payload: Any) -> Any:
    """Return a copy of the payload to which the patch was applied.

    Raises InvalidPatch if the patch is not valid or does not fit the payload.
    """
    if not isinstance(patch, list) or len(patch) > MAX_OPERATIONS:
        raise InvalidPatch(
            _("Send the JSON Patch as a list of at most {limit} operations.").format(limit=MAX_OPERATIONS)
        )
    for number, operation in enumerate(patch):
        try:
            if operation["op"] not in _OPERATIONS:
                raise jsonpatch.InvalidJsonPatch
            payload = jsonpatch.apply_patch(payload, [operation])
            is_too_long = operation["op"] == "copy" and len(json.dumps(payload)) > MAX_LENGTH
        except jsonpatch.JsonPatchTestFailed as error:
            text = _(
                "The operation `test` failed, because the payload has another value. Read the failure again."
            )
            raise _invalid(number, text) from error
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, *_MALFORMED) as error:
            # The library's messages are not shown, because they contain values of the payload.
            text = _("The operation is not valid, or the payload has no field at the path of the operation.")
            raise _invalid(number, text) from error
        if is_too_long:
            raise _invalid(
                number, _("The operation makes the payload too long. Send a patch that adds less data.")
            )
    return payload


_MALFORMED = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)


def _invalid(number: int, text: str) -> InvalidPatch:
    return InvalidPatch(errors={"patch": {number: [text]}})


def recorded(patch: Patch, *, kind: Kind) -> Patch:
    """Return the operations as the audit trail stores them, without personal and secret values.

    Only short values of declared fields that are neither personal nor secret are included.
    """
    result = []
    for operation in patch[:MAX_RECORDED_OPERATIONS]:
        keys = keys_of(operation["path"])
        entry = {"op": operation["op"], "path": public_pointer(kind, keys)}
        if "from" in operation:
            entry["from"] = public_pointer(kind, keys_of(operation["from"]))
        if "value" in operation and _is_recorded(operation["value"], kind=kind, keys=keys):
            entry["value"] = operation["value"]
        result.append(entry)
    return result


def _is_recorded(value: Any, *, kind: Kind, keys: Keys) -> bool:
    is_short = (isinstance(value, str) and len(value) <= MAX_RECORDED_LENGTH) or isinstance(
        value, int | float | bool | None
    )
    return is_short and is_open(kind, keys)

"""The JSON parser for request bodies of the REST API."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

#: The maximum depth of nested arrays and objects. No schema of the API needs deeper JSON.
#: JSON with a greater depth could exceed Python's recursion limit in functions that process the JSON.
MAX_DEPTH = 100
#: An error message quotes at most this many characters of a number. The remaining characters are cut off.
_MAX_NUMBER_LENGTH = 40


class JSONParser(parsers.JSONParser):
    """A strict JSON parser, which refuses values that could not be stored exactly or would cause a server error.

    The parser refuses bodies above `DATA_UPLOAD_MAX_MEMORY_SIZE`, deeply nested JSON, objects with two members of the
    same name, and numbers that are too large or too small. It also refuses half of a surrogate pair, such as an emoji
    that the client has cut in two.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - the signature of REST framework
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        encoding = (parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)
        return decode_json(_read(stream), encoding=encoding)


def decode_json(body: bytes, *, encoding: str = "utf-8") -> Any:
    """Return the value of a JSON text. Raises ParseError for a text that `JSONParser` refuses."""
    repeated = _RepeatedNames()
    try:
        data = json.loads(
            body.decode(encoding),
            parse_constant=_refuse_constant,
            parse_float=_parse_float,
            object_pairs_hook=repeated.read_object,
        )
        repeated.check(data)
        json.dumps(data, ensure_ascii=False).encode()
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeEncodeError as error:
        character = error.object[error.start : error.start + 1].encode("unicode-escape").decode()
        raise ParseError(
            _(
                "The JSON contains {character}, which is only one half of a surrogate pair. "
                "Send both halves of the character."
            ).format(character=character)
        ) from error
    except ValueError as error:
        raise ParseError(f"JSON parse error: {error}") from error
    # JSON with few brackets cannot be nested deeply, so the depth of most bodies need not be checked.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(data):
        raise _too_deep()
    return data


def _read(stream: IO[bytes]) -> bytes:
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    mantissa = text.lower().partition("e")[0]
    if math.isinf(number) or (number == 0 and mantissa.strip("-0.")):
        raise ParseError(
            _("The number {number} is too large or too small. Send such a number as a string.").format(
                number=text[:_MAX_NUMBER_LENGTH]
            )
        )
    return number


class _RepeatedNames:
    """The objects of a JSON text that have several members with the same name.

    RFC 8259 leaves the value of a repeated member open, so two programs may read two different values.
    """

    def __init__(self) -> None:
        # The dict keeps each object, because Python could reuse the `id()` of a deleted object.
        self._found: dict[int, tuple[dict[str, Any], str]] = {}

    def read_object(self, members: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return a dict of these members, and remember a repeated member. The JSON decoder calls this method."""
        result = dict(members)
        if len(result) < len(members):
            names = [name for name, _value in members]
            self._found[id(result)] = result, next(name for name in names if names.count(name) > 1)
        return result

    def check(self, data: Any) -> None:
        """Raise ParseError with a JSON Pointer to the first repeated member of `data`, if there is one."""
        if not self._found:
            return
        # The search needs no recursion, because the depth of `data` is not checked yet.
        pending = [("", data)]
        while pending:
            pointer, value = pending.pop()
            if id(value) in self._found:
                pointer = f"{pointer}/{json_pointer_token(self._found[id(value)][1])}"
                # The JSON Pointer is quoted as JSON, because a name may contain a lone surrogate, which UTF-8 cannot
                # encode.
                raise ParseError(
                    _(
                        "The JSON has several members with the name {pointer}. Send each name only once."
                    ).format(pointer=json.dumps(pointer))
                )
            items = (
                value.items()
                if isinstance(value, dict)
                else enumerate(value)
                if isinstance(value, list)
                else ()
            )
            pending += reversed(
                [(f"{pointer}/{json_pointer_token(str(name))}", item) for name, item in items]
            )


def json_pointer_token(name: str) -> str:
    """Return the name of a member as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _too_deep() -> ParseError:
    return ParseError(
        _("The JSON is nested too deeply. At most {limit} levels are allowed.").format(limit=MAX_DEPTH)
    )


def _is_too_deep(data: Any) -> bool:
    level = [data]
    for _depth in range(MAX_DEPTH + 1):
        containers = [value for value in level if isinstance(value, dict | list)]
        if not containers:
            return False
        level = [
            item
            for container in containers
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return True
